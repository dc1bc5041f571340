package mysql

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

const sampleCreate = "CREATE TABLE `a` (\n  `x\n`` y` int(11) NOT NULL DEFAULT 3,\n  `e` enum('a,b','it''s\\\\') COMMENT 'AUTO_INCREMENT=4 )\\n',\n" +
	"  PRIMARY KEY (`x\n`` y`),\n  UNIQUE KEY `u` (`e`),\n  KEY `k` (`e`),\n  CONSTRAINT `f` FOREIGN KEY (`e`) REFERENCES `b` (`e`),\n  CONSTRAINT `c` CHECK (`e` <> ')')\n" +
	") ENGINE=InnoDB AUTO_INCREMENT=12 DEFAULT CHARSET=utf8mb4 COMMENT=' AUTO_INCREMENT=5'\n PARTITION BY HASH (`x`)\nPARTITIONS 2"

func TestCreateTableIsTakenApart(t *testing.T) {
	c, ok := splitCreate(sampleCreate)
	if !ok {
		t.Fatal("not understood")
	}
	var got []string
	for _, line := range c.lines {
		d := define(line)
		got = append(got, d.kind+":"+d.name)
	}
	want := []string{"column:x\n` y", "column:e", "primary key:PRIMARY", "unique:u", "index:k", "foreign key:f", "check:c"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT=' AUTO_INCREMENT=5'"; c.options != want {
		t.Errorf("options %q, want %q", c.options, want)
	}
	if joined := c.join(c.lines); joined != strings.Replace(strings.Replace(sampleCreate, " AUTO_INCREMENT=12", "", 1), "\n PARTITION", "\nPARTITION", 1) {
		t.Errorf("joined again it is %q", joined)
	}
}

func TestForeignKeysAreReadFromTheirDefinition(t *testing.T) {
	for line, want := range map[string]foreignKey{
		"CONSTRAINT `f` FOREIGN KEY (`a`, `b`) REFERENCES `p` (`x`, `y`) ON DELETE SET NULL ON UPDATE CASCADE": {
			name: "f", table: "p", columns: []string{"a", "b"}, references: []string{"x", "y"}, onDelete: "SET NULL", onUpdate: "CASCADE"},
		"CONSTRAINT `n` FOREIGN KEY (`a`) REFERENCES `p` (`x`) ON DELETE NO ACTION ON UPDATE NO ACTION": {
			name: "n", table: "p", columns: []string{"a"}, references: []string{"x"}, onDelete: "NO ACTION", onUpdate: "NO ACTION"},
		"CONSTRAINT `o``n` FOREIGN KEY (`ON DELETE`) REFERENCES `d`.`t(` (`,`)": {
			name: "o`n", schema: "d", table: "t(", columns: []string{"ON DELETE"}, references: []string{","}, onDelete: "RESTRICT", onUpdate: "RESTRICT"},
	} {
		got, ok := parseForeignKey(line, "RESTRICT")
		if !ok || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s gave %+v, %v, want %+v", line, got, ok, want)
		}
	}
	for _, line := range []string{"FOREIGN KEY", "FOREIGN KEY (`a`) REFERENCES", "FOREIGN KEY (`a`) REFERENCES `b` ()", "KEY `a` (`b`)"} {
		if f, ok := parseForeignKey(line, ""); ok {
			t.Errorf("%s gave %+v", line, f)
		}
	}
}

func TestGrantsSayWhatIsHidden(t *testing.T) {
	for line, want := range map[string]bool{
		"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION": true,
		"GRANT SELECT, TRIGGER ON `my_db`.* TO `u`@`%`":                       true,
		"GRANT TRIGGER ON `my\\_db`.* TO `u`@`%`":                             true,
		"GRANT TRIGGER ON `my%`.* TO `u`@`%`":                                 true,
		"GRANT TRIGGER ON `my\\%`.* TO `u`@`%`":                               false,
		"GRANT TRIGGER ON `my_db`.`one` TO `u`@`%`":                           false,
		"GRANT TRIGGER ON `other`.* TO `u`@`%`":                               false,
		"GRANT SELECT (`TRIGGER`) ON `my_db`.* TO `u`@`%`":                    false,
		"GRANT USAGE ON *.* TO `u`@`%`":                                       false,
		"GRANT `role` TO `u`@`%`":                                             false,
		"GRANT PROXY ON ''@'%' TO 'root'@'localhost'":                         false,
	} {
		g, ok := parseGrant(line)
		if got := ok && allowed([]grant{g}, "my_db", []string{"TRIGGER"}); got != want {
			t.Errorf("%s allows: %v, want %v", line, got, want)
		}
	}
}

func TestLabelsOfEnums(t *testing.T) {
	for text, want := range map[string][]string{
		`enum('a','it''s','','b\\s','c,d')`: {"a", "it's", "", `b\s`, "c,d"},
		"set('x')":                          {"x"},
		"int(11)":                           nil,
		"enum('open":                        {"open"},
	} {
		if got := labels(text); !slices.Equal(got, want) {
			t.Errorf("labels(%s) = %q, want %q", text, got, want)
		}
	}
}

func FuzzCreateTable(f *testing.F) {
	f.Add(sampleCreate)
	f.Add("CREATE TABLE `a` (\n)")
	f.Add("(\n  `x` enum('\\")
	f.Add("(\n  CONSTRAINT `c` FOREIGN KEY (`a`, `b\n)")
	f.Fuzz(func(t *testing.T, ddl string) {
		c, ok := splitCreate(ddl)
		if !ok {
			return
		}
		for _, line := range c.lines {
			define(line)
			labels(line)
			if f, ok := parseForeignKey(line, ""); ok && len(f.columns)+len(f.references) > len(line) {
				t.Errorf("%q has %d columns", line, len(f.columns))
			}
		}
		if !strings.HasPrefix(c.join(c.lines), c.head) {
			t.Errorf("%q does not begin with its head", ddl)
		}
	})
}

func TestNamesAreLegalAndDistinct(t *testing.T) {
	distinct := names.Distinct()
	long := strings.Repeat("ä", 70)
	seen := map[string]bool{}
	for _, name := range []string{"a", "A", "a ", long, long + "x", "", "nul\x00", "😀"} {
		got := distinct(name)
		if fold := strings.ToLower(got); seen[fold] || got == "" || len([]rune(got)) > 64 || strings.HasSuffix(got, " ") || strings.ContainsAny(got, "\x00😀") {
			t.Errorf("%q became %q", name, got)
		} else {
			seen[fold] = true
		}
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]server{
		"10.11.19-MariaDB-0+deb12u1-log": {engine: "mariadb", version: "10.11.19", number: 101119},
		"5.5.5-10.6.2-MariaDB":           {engine: "mariadb", version: "10.6.2", number: 100602},
		"8.0.36":                         {engine: "mysql", version: "8.0.36", number: 80036},
		"8.4.3-azure":                    {engine: "mysql", version: "8.4.3", number: 80403},
		"nonsense":                       {engine: "mysql", version: "nonsense"},
	} {
		if got := parseVersion(text); got != want {
			t.Errorf("parseVersion(%s) = %+v, want %+v", text, got, want)
		}
	}
}
