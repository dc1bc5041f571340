package mysql

import "testing"

func TestDefaultsThatAreNoTextAreSpeltByTheirBytes(t *testing.T) {
	for in, want := range map[string]string{
		"`a` varbinary(5) DEFAULT 'it''s'":                         "`a` varbinary(5) DEFAULT 'it''s'",
		"`a` varbinary(5) DEFAULT '\xff\\0\\'x''\\\\' COMMENT 'ä'": "`a` varbinary(5) DEFAULT X'ff0027782\x375c' COMMENT 'ä'",
		"`'` int, `b` binary(3) DEFAULT '\x80\xffA'":               "`'` int, `b` binary(3) DEFAULT X'80ff41'",
		"`a``' b` DEFAULT '\xff'":                                  "`a``' b` DEFAULT X'ff'",
	} {
		if got := hexDefaults(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestSequencesOfTheDatabaseItselfLoseItsName(t *testing.T) {
	for in, want := range map[string]string{
		"`id` int DEFAULT nextval(`d`.`s`)":                      "`id` int DEFAULT nextval(`s`)",
		"`id` int DEFAULT nextval(`e`.`s`)":                      "`id` int DEFAULT nextval(`e`.`s`)",
		"`id` int DEFAULT (nextval(`d`.`s`) + nextval(`d`.`s`))": "`id` int DEFAULT (nextval(`s`) + nextval(`s`))",
		"`nextval(``d``.` text DEFAULT 'nextval(`d`.`s`)'":       "`nextval(``d``.` text DEFAULT 'nextval(`d`.`s`)'",
	} {
		if got := ownCounters(in, "d"); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
