package mysql_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
	"github.com/packstone/packstone/pipeline/database/rows"
)

const setting = "SET SESSION character_set_client = utf8mb4, SESSION collation_connection = utf8mb4_general_ci"

// hostile are statements that do not make the object that they are given for.
var hostile = []struct {
	object database.ObjectID
	sql    []string
}{
	{database.ObjectID{Kind: "view", Name: "v"}, []string{
		"SELECT 1 INTO OUTFILE '/tmp/x'", "DROP DATABASE mysql", "CREATE VIEW `v` AS SELECT 1; DROP TABLE t", "GRANT ALL ON *.* TO mallory", "CREATE USER mallory", "SET GLOBAL log_bin_trust_function_creators = 1",
		"CREATE VIEW `mysql`.`v` AS SELECT 1", "CREATE VIEW `w` AS SELECT 1", "/*! DROP DATABASE mysql */", "/*!50000 DROP DATABASE mysql */", "CREATE /*!50000 USER mallory -- */ VIEW `v` AS SELECT 1", "LOAD DATA INFILE '/etc/passwd' INTO TABLE t",
		"DELIMITER //", "CREATE TABLE `v` AS SELECT 1", "INSTALL PLUGIN x SONAME 'x.so'", "CREATE OR REPLACE VIEW `v` AS SELECT 1", "HANDLER t OPEN", "CALL mysql.x()", "PREPARE s FROM 'DROP TABLE t'", "KILL 1", "SHUTDOWN", "BACKUP STAGE START",
	}},
	{database.ObjectID{Kind: "function", Name: "f"}, []string{
		"CREATE FUNCTION f RETURNS STRING SONAME 'evil.so'", "CREATE AGGREGATE FUNCTION f RETURNS INTEGER SONAME 'evil.so'", "CREATE FUNCTION `mysql`.`f`() RETURNS INT RETURN 1", "CREATE FUNCTION `g`() RETURNS INT RETURN 1",
		"CREATE PROCEDURE `f`() SELECT 1",
	}},
	{database.ObjectID{Kind: "procedure", Name: "p"}, []string{"DROP PROCEDURE p", "CREATE PROCEDURE mysql.p() SELECT 1"}},
	{database.ObjectID{Kind: "trigger", Table: "t", Name: "x"}, []string{
		"CREATE TRIGGER mysql.x BEFORE INSERT ON t FOR EACH ROW SET @a = 1", "CREATE TRIGGER x BEFORE INSERT ON mysql.user FOR EACH ROW SET @a = 1", "CREATE TRIGGER x BEFORE INSERT ON other FOR EACH ROW SET @a = 1",
		"CREATE TRIGGER y BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
	}},
	{database.ObjectID{Kind: "event", Name: "e"}, []string{"CREATE EVENT `mysql`.`e` ON SCHEDULE AT NOW() DO DROP DATABASE mysql", "CREATE EVENT `other` ON SCHEDULE EVERY 1 DAY DO SELECT 1"}},
	{database.ObjectID{Kind: "sequence", Name: "q"}, []string{"CREATE SEQUENCE `q` COMMENT='x'", "CREATE SEQUENCE `mysql`.`q`", "DROP TABLE t"}},
	{database.ObjectID{Kind: "index", Table: "t", Name: "i"}, []string{
		"ALTER TABLE `t` ADD KEY `i` (`n`), RENAME TO mysql.t", "ALTER TABLE `mysql`.`user` ADD KEY `i` (`n`)", "ALTER TABLE `t` DROP COLUMN n", "ALTER TABLE `t` ADD COLUMN i INT DEFAULT 1", "alter table `t` add key `i` (`n`)",
	}},
	{database.ObjectID{Kind: "unique", Table: "t", Name: "i"}, []string{"ALTER TABLE `t` ADD UNIQUE KEY `i` (`n`), DISCARD TABLESPACE", "ALTER TABLE `t` EXCHANGE PARTITION p WITH TABLE mysql.x"}},
	{database.ObjectID{Kind: "foreign key", Table: "gone", Name: "k"}, []string{"ALTER TABLE `gone` ADD CONSTRAINT `k` FOREIGN KEY (`n`) REFERENCES `t` (`n`)"}},
	{database.ObjectID{Kind: "user", Name: "mallory"}, []string{"CREATE USER mallory"}},
}

// tables are hostile definitions of a table.
var tables = []string{
	"CREATE TABLE `t` SELECT * FROM mysql.user", "CREATE TABLE `t` (`n` int) SELECT 1 AS n", "CREATE TABLE `t` (SELECT * FROM mysql.user)", "CREATE TABLE `t` (LIKE mysql.user)", "CREATE TABLE `t` LIKE mysql.user",
	"CREATE TABLE `mysql`.`t` (`n` int)", "CREATE TABLE `other` (`n` int)", "CREATE TABLE `t` (`n` int) AS (SELECT 1)", "CREATE TABLE `t` (`n` int) TABLE mysql.user", "CREATE TABLE `t` (`n` int) VALUES ROW(1)",
	"CREATE TABLE `t` (`n` int) IGNORE SELECT 1", "CREATE TABLE `t` (`n` int); DROP DATABASE mysql", "CREATE TABLE `t` (`n` int /*!99999 ) ENGINE=InnoDB COMMENT='*/ )", "CREATE TABLE `t` (`n` varchar(99) DEFAULT (LOAD_FILE('/etc/passwd')))",
	"CREATE TABLE `t` (`n` int CHECK (SLEEP(9) = 0))", "CREATE TABLE `t` (`n` int DEFAULT (GET_LOCK('x', 9)))", "CREATE OR REPLACE TABLE `t` (`n` int)", "DROP TABLE `t`",
}

func schemaWith(table string, id database.ObjectID, ddl ...string) *database.Schema {
	t := &database.Table{Name: "t", Columns: []*database.Column{{Name: "n", Type: database.Type{Kind: database.Int, Bits: 32, Native: "int(11)"}}}}
	return &database.Schema{
		Engine: database.MariaDB, Namespace: "db", Tables: []*database.Table{t},
		Objects: []*database.Object{{ObjectID: t.ObjectID(), Phase: database.Tables, DDL: []string{table}}, {ObjectID: id, Phase: database.AtEnd, DDL: ddl}},
	}
}

func planOf(t testing.TB, at database.Location, s *database.Schema) (*database.Plan, error) {
	t.Helper()
	dst := openTarget(t, at, database.TargetOptions{})
	defer dst.Close()
	return dst.Plan(context.Background(), s, database.PlanOptions{HandedOver: true})
}

func TestStatementsThatDoNotMakeTheirObjectDoNotRun(t *testing.T) {
	at := mysqltest.Database(t)
	for _, c := range hostile {
		for _, sql := range c.sql {
			for _, ddl := range [][]string{{sql}, {setting + ";\n" + sql}, {setting, sql}} {
				p, err := planOf(t, at, schemaWith("CREATE TABLE `t` (\n  `n` int(11)\n) ENGINE=InnoDB", c.object, ddl...))
				if err != nil {
					t.Fatalf("%s: %s: %v", c.object, sql, err)
				}
				i := slices.IndexFunc(p.Findings, func(f database.Finding) bool { return f.Object == c.object })
				if len(p.Statements) != 1 || i < 0 || p.Findings[i].Code != "DB303" {
					t.Errorf("%s: %q runs, or is not named: %v", c.object, p.Statements[1:], p.Findings)
				}
			}
		}
	}
	for _, sql := range tables {
		if _, err := planOf(t, at, schemaWith(sql, database.ObjectID{Kind: "view", Name: "v"})); !errors.Is(err, database.ErrRefused) {
			t.Errorf("%s: %v, want a refusal", sql, err)
		}
	}
}

func TestSettingsBeforeCodeAreThoseOfASession(t *testing.T) {
	at := mysqltest.Database(t)
	id := database.ObjectID{Kind: "procedure", Name: "p"}
	for sql, good := range map[string]bool{
		setting: true, setting + ", SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'": true,
		"SET GLOBAL character_set_client = utf8mb4": false, setting + ", GLOBAL general_log = 1": false, setting + ", SESSION sql_mode = (SELECT 1)": false,
		"SET SESSION character_set_client = (SELECT 1)": false, setting + ", SESSION sql_mode = 'x\\'y'": false, "SET PASSWORD = 'x'": false, "DROP DATABASE mysql": false,
	} {
		p, err := planOf(t, at, schemaWith("CREATE TABLE `t` (\n  `n` int(11)\n)", id, sql, "CREATE DEFINER=`root`@`localhost` PROCEDURE `p`()\nSELECT 1; SELECT 2"))
		if err != nil {
			t.Fatal(err)
		}
		if (len(p.Statements) == 3) != good {
			t.Errorf("%s: %q runs", sql, p.Statements)
		}
	}
	// A character of GBK may end in what looks like a backslash.
	gbk := "SET SESSION character_set_client = gbk"
	p, err := planOf(t, at, schemaWith("CREATE TABLE `t` (\n  `n` int(11)\n)", id, gbk, "CREATE DEFINER=`root`@`localhost` PROCEDURE `p`()\nSELECT '\xbf\\'"))
	if err != nil || len(p.Statements) != 1 {
		t.Errorf("%v: %q runs", err, p.Statements)
	}
}

func TestTablesOfAFileThatLeadOutOfTheDatabaseAreNotTrusted(t *testing.T) {
	at := mysqltest.Database(t)
	for _, sql := range []string{
		"CREATE TABLE `t` (\n  `n` int(11)\n) ENGINE=FEDERATED CONNECTION='mysql://root@elsewhere/db/t'", "CREATE TABLE `t` (\n  `n` int(11)\n) ENGINE=CONNECT `FILE_NAME`='/etc/passwd'",
		"CREATE TABLE `t` (\n  `n` int(11)\n) ENGINE=MyISAM DATA DIRECTORY='/tmp'", "CREATE TABLE `t` (\n  `n` int(11)\n) ENGINE=MRG_MyISAM UNION=(`mysql`.`user`)",
	} {
		p, err := planOf(t, at, schemaWith(sql, database.ObjectID{Kind: "view", Name: "v"}))
		if err != nil || len(p.Untrusted) != 1 {
			t.Errorf("%s: %v, untrusted are %v", sql, err, p)
		}
	}
}

// evil ends whatever it stands in.
const evil = "1); CREATE TABLE `mark` (n INT); -- "

func TestNeutralSchemaSmugglesNothing(t *testing.T) {
	for native, sql := range map[string]string{
		"int DEFAULT 7 COMMENT 'x'": "`n` > 0", "int(11)": "SLEEP(9)", "int(11) UNIQUE": "LOAD_FILE('/etc/passwd')", "varchar(9) CHARACTER SET latin1": "(SELECT 1)", "text)" + evil: evil,
		"bigint(20)": "NEXTVAL(`mysql`.`s`)", "enum('a') DEFAULT 'a'": "1 /* x */", "tinyint(4)": "1 -- ", "smallint(6)": "1 COMMENT 'x'", "mediumint(9)": "@@version", "double": "`mysql`.`f`(1)",
	} {
		at := mysqltest.Database(t)
		e := database.Expr{Engine: database.MariaDB, SQL: sql}
		table := &database.Table{
			Name: "t`" + evil, Comment: `\' ` + evil, Checks: []*database.Check{{Name: "c`" + evil, Expr: e}},
			Columns: []*database.Column{
				{Name: "n", Comment: `'` + evil + `\`, Type: database.Type{Kind: database.Int, Native: native, Charset: "latin1 " + evil, Collation: evil}, Default: &e},
				{Name: "g`" + evil, Type: database.Type{Kind: database.Text, Length: 9, Native: native, Charset: evil}, Generated: &database.Generated{Expr: e, Stored: true}},
				{Name: "e", Type: database.Type{Kind: database.Enum, Native: native, Values: []string{`'` + evil, `\`}}},
			},
			Indexes: []*database.Index{{Name: "i`" + evil, Method: evil, Parts: []database.IndexPart{{Column: "n"}}}, {Name: "j", Parts: []database.IndexPart{{Expr: &e}}}},
		}
		if sql == "`n` > 0" { // no default, but a check
			table.Columns[0].Default = nil
		}
		s := &database.Schema{Engine: database.MariaDB, Namespace: "db", Tables: []*database.Table{table}, Settings: map[string]string{"collation": evil}}
		report, err := databasetest.Into(t, mysql.Driver{}, at.Reveal(), &databasetest.Source{Model: s}, convert.Options{Plan: database.PlanOptions{NoNativeDDL: true, HandedOver: true}})
		if err != nil {
			t.Fatalf("%s, %s: %v", native, sql, err)
		}
		if text := dump(t, at); slices.Contains(strings.Split(contents(t, at), ","), "mark") || strings.Contains(text, "SLEEP") || strings.Contains(text, "LOAD_FILE") || strings.Contains(text, "UNIQUE KEY") {
			t.Errorf("%s, %s: %s", native, sql, text)
		}
		if len(report.Inexact()) == 0 {
			t.Errorf("%s, %s: nothing is listed", native, sql)
		}
	}
}

// TestTriggersMayNameTheirOwnDatabase: it becomes the one that is filled.
func TestTriggersMayNameTheirOwnDatabase(t *testing.T) {
	from, to := mysqltest.Database(t), mysqltest.Database(t)
	mysqltest.Exec(t, from, "CREATE TABLE t (n INT); CREATE TRIGGER "+mysqltest.Name(from)+".x BEFORE INSERT ON "+mysqltest.Name(from)+".t FOR EACH ROW SET NEW.n = 7")
	report := copied(t, from, to, 1, convert.Options{})
	for _, f := range report.Inexact() {
		t.Error(f)
	}
	var n int
	if err := mysqltest.Open(t, to).QueryRow("SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND EVENT_OBJECT_SCHEMA = DATABASE()").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d triggers are there, %v", n, err)
	}
}

// definers lists a database's code and views, whose they are, and with whose rights they run.
func definers(t testing.TB, at database.Location) string {
	t.Helper()
	var got string
	err := mysqltest.Open(t, at).QueryRow(`SELECT GROUP_CONCAT(x ORDER BY k, x) FROM (
		SELECT 1 k, CONCAT(ROUTINE_NAME, ' ', DEFINER, ' ', SECURITY_TYPE) x FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
		UNION ALL SELECT 1, CONCAT(TABLE_NAME, ' ', DEFINER, ' ', SECURITY_TYPE) FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()
		UNION ALL SELECT 2, CONCAT(TRIGGER_NAME, ' ', DEFINER, ' DEFINER') FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
		UNION ALL SELECT 2, CONCAT(EVENT_NAME, ' ', DEFINER, ' DEFINER') FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()) l`).Scan(&got)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// defined makes code and a view of an account's.
func defined(t testing.TB, at database.Location, account string) {
	t.Helper()
	mysqltest.Exec(t, at, strings.ReplaceAll(`CREATE TABLE t (n INT); CREATE DEFINER=? VIEW v AS SELECT 1 AS n; CREATE DEFINER=? PROCEDURE p() SELECT 1;
		CREATE DEFINER=? FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1; CREATE DEFINER=? TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.n = 1;
		CREATE DEFINER=? EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t`, "?", account))
}

// TestCodeNeverComesToBelongToAUserWithMoreRights imports as a user who may not make things
// another's, and with other wishes.
func TestCodeNeverComesToBelongToAUserWithMoreRights(t *testing.T) {
	from := mysqltest.Database(t)
	mysqltest.Exec(t, from, "CREATE OR REPLACE USER author@localhost; GRANT SELECT ON "+mysqltest.Name(from)+".* TO author@localhost")
	mysqltest.Exec(t, from, "CREATE OR REPLACE USER filler@'%' IDENTIFIED BY 'fills'")
	defined(t, from, "author@localhost")
	const all = "f author@localhost DEFINER,p author@localhost DEFINER,v author@localhost DEFINER,e author@localhost DEFINER,x author@localhost DEFINER"
	const invoked = "f filler@% INVOKER,p filler@% INVOKER,v filler@% INVOKER"
	for _, c := range []struct {
		name, user, password string
		opts                 database.PlanOptions
		want                 string
	}{
		{"root", "root", "", database.PlanOptions{}, all},
		{"one who may not", "filler", "fills", database.PlanOptions{}, invoked},
		{"one who may not, and trusts", "filler", "fills", database.PlanOptions{TrustCode: true}, strings.ReplaceAll(all, "author@localhost", "filler@%")},
		{"one who takes the place", "filler", "fills", database.PlanOptions{Roles: map[string]string{"author@localhost": "filler@%"}}, strings.ReplaceAll(all, "author@localhost", "filler@%")},
		{"without owners", "filler", "fills", database.PlanOptions{NoOwner: true}, invoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := mysqltest.Database(t)
			mysqltest.Exec(t, to, "REVOKE ALL PRIVILEGES, GRANT OPTION FROM filler@'%'; GRANT ALL ON "+mysqltest.Name(to)+".* TO filler@'%'; SET GLOBAL log_bin_trust_function_creators = 1")
			src := openSource(t, from, database.SourceOptions{})
			dst := openTarget(t, mysqltest.Location(t, c.user, c.password, mysqltest.Name(to)), database.TargetOptions{})
			report, err := convert.Run(context.Background(), src, dst, convert.Options{Plan: c.opts})
			if err != nil {
				t.Fatal(err)
			}
			if got := definers(t, to); got != c.want {
				t.Errorf("there are %s, want %s", got, c.want)
			}
			if exact := strings.Contains(c.want, "x filler") && !c.opts.TrustCode || c.want == all; exact != (len(report.Inexact()) == 0) {
				t.Errorf("inexact are %v", report.Inexact())
			}
		})
	}
}

// TestADefinerWhoMayDoMoreThanInTheSourceRunsNothing imports as root what an account defined that
// means more now, or nobody.
func TestADefinerWhoMayDoMoreThanInTheSourceRunsNothing(t *testing.T) {
	const none = "f root@localhost INVOKER,p root@localhost INVOKER,v root@localhost INVOKER"
	all := func(account string) string {
		return strings.ReplaceAll("f ? DEFINER,p ? DEFINER,v ? DEFINER,e ? DEFINER,x ? DEFINER", "?", account)
	}
	for _, c := range []struct {
		name, account, before, between string
		opts                           database.PlanOptions
		want                           string
		exact                          bool
	}{
		{"the same", "same@localhost", "GRANT PROCESS ON *.* TO same@localhost", "", database.PlanOptions{}, all("same@localhost"), true},
		{"less", "less@localhost", "GRANT PROCESS ON *.* TO less@localhost", "REVOKE PROCESS ON *.* FROM less@localhost", database.PlanOptions{}, all("less@localhost"), true},
		{"all", "more1@localhost", "", "GRANT ALL ON *.* TO more1@localhost", database.PlanOptions{}, none, false},
		{"a privilege", "more2@localhost", "", "GRANT FILE ON *.* TO more2@localhost", database.PlanOptions{}, none, false},
		{"another database", "more3@localhost", "", "GRANT SELECT ON mysql.* TO more3@localhost", database.PlanOptions{}, none, false},
		{"a table elsewhere", "more4@localhost", "", "GRANT SELECT ON mysql.proc TO more4@localhost", database.PlanOptions{}, none, false},
		{"a role", "more5@localhost", "", "CREATE OR REPLACE ROLE chief; GRANT chief TO more5@localhost", database.PlanOptions{}, none, false},
		{"trusted", "more6@localhost", "", "GRANT ALL ON *.* TO more6@localhost", database.PlanOptions{TrustCode: true}, all("more6@localhost"), true},
		{"another takes the place", "less2@localhost", "CREATE OR REPLACE USER heir@localhost", "", database.PlanOptions{Roles: map[string]string{"less2@localhost": "heir@localhost"}}, all("heir@localhost"), true},
		{"root takes the place", "less3@localhost", "", "", database.PlanOptions{Roles: map[string]string{"less3@localhost": "root@localhost"}}, none, false},
		{"nobody is there", "gone@localhost", "", "DROP USER gone@localhost", database.PlanOptions{}, all("gone@localhost"), false},
		{"nobody was there", "never@localhost", "DROP USER never@localhost", "", database.PlanOptions{}, all("never@localhost"), true},
		{"somebody is there now", "late@localhost", "DROP USER late@localhost", "CREATE USER late@localhost; GRANT FILE ON *.* TO late@localhost", database.PlanOptions{}, none, false},
		{"root", "root@localhost", "", "", database.PlanOptions{}, all("root@localhost"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := mysqltest.Database(t), mysqltest.Database(t)
			if c.account != "root@localhost" {
				mysqltest.Exec(t, from, "CREATE OR REPLACE USER "+c.account+"; GRANT SELECT ON "+mysqltest.Name(from)+".* TO "+c.account)
				t.Cleanup(func() { mysqltest.Exec(t, from, "DROP USER IF EXISTS "+c.account) })
			}
			mysqltest.Exec(t, from, cmp.Or(c.before, "DO 0"))
			defined(t, from, c.account)
			files := databasetest.WriteStreams(t, openSource(t, from, database.SourceOptions{}))
			mysqltest.Exec(t, from, cmp.Or(c.between, "DO 0"))
			stored, err := rows.Open(files, database.SourceOptions{})
			if err != nil {
				t.Fatal(err)
			}
			report, err := databasetest.Into(t, mysql.Driver{}, to.Reveal(), stored, convert.Options{Plan: c.opts})
			if err != nil {
				t.Fatal(err)
			}
			if got := definers(t, to); got != c.want {
				t.Errorf("there are %s, want %s", got, c.want)
			}
			if exact := len(report.Inexact()) == 0; exact != c.exact {
				t.Errorf("inexact are %v", report.Inexact())
			}
		})
	}
}

// TestCodeOfAFileThatNamesNobodyRunsWithNobodysRights: the server would make it root's.
func TestCodeOfAFileThatNamesNobodyRunsWithNobodysRights(t *testing.T) {
	to := mysqltest.Database(t)
	schema := schemaWith("CREATE TABLE `t` (\n  `n` int(11)\n)", database.ObjectID{Kind: "view", Name: "v"}, "CREATE VIEW `v` AS SELECT 1")
	for kind, sql := range map[string]string{
		"procedure": "CREATE PROCEDURE `p`() SELECT 1", "function": "CREATE FUNCTION `f`() RETURNS INT SQL SECURITY DEFINER RETURN 1",
		"event": "CREATE EVENT `e` ON SCHEDULE EVERY 1 DAY DO SELECT 1", "trigger": "CREATE DEFINER=CURRENT_USER TRIGGER `x` BEFORE INSERT ON `t` FOR EACH ROW SET NEW.n = 1",
	} {
		o := &database.Object{ObjectID: database.ObjectID{Kind: kind, Name: map[string]string{"procedure": "p", "function": "f", "event": "e", "trigger": "x"}[kind]}, Phase: database.AtEnd, DDL: []string{sql}}
		if kind == "trigger" {
			o.Table = "t"
		}
		schema.Objects = append(schema.Objects, o)
	}
	report, err := databasetest.Into(t, mysql.Driver{}, to.Reveal(), &databasetest.Source{Model: schema}, convert.Options{Plan: database.PlanOptions{HandedOver: true}})
	if err != nil {
		t.Fatal(err)
	}
	if got := definers(t, to); got != "f root@localhost INVOKER,p root@localhost INVOKER,v root@localhost INVOKER" {
		t.Errorf("there are %s", got)
	}
	databasetest.WantFindings(t, report, map[string]database.Status{
		"view v": database.Approximated, "procedure p": database.Approximated, "function f": database.Approximated, "event e": database.Dropped, "trigger t.x": database.Dropped,
	})
}
