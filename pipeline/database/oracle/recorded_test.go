package oracle

import (
	"cmp"

	"github.com/packstone/packstone/pipeline/database/sqlengine/scripted"
)

// dictionary holds rows of the dictionary views in the form in which the queries
// of this package ask for them.
type dictionary struct {
	version, charset, user                             string // user: empty for the schema's own
	tables, columns, counters, constraints, keyColumns [][]any
	indexes, indexColumns, indexExpressions, sequences [][]any
	views, viewColumns, viewComments                   [][]any
	code, triggers, others                             [][]any
	listed                                             map[string][]string // names, by kind
}

const owner = "CHINOOK"

// session expects a connection to be set up.
func (d dictionary) session(s *scripted.Script, schema string) {
	for _, one := range settings {
		s.Expect(one)
	}
	if schema != "" {
		s.Expect(`ALTER SESSION SET CURRENT_SCHEMA = "` + schema + `"`)
	}
}

func (d dictionary) by() string { return cmp.Or(d.user, owner) }

func (d dictionary) identify(s *scripted.Script) {
	s.Expect(identitySQL).Rows([]any{owner, d.by()})
	s.Expect(versionSQL).Rows([]any{d.version})
	s.Expect(charsetSQL).Rows([]any{d.charset})
}

// catalog expects the queries of the catalog.
func (d dictionary) catalog(s *scripted.Script) { d.catalogBy(s.Expect) }

// catalogBy expects them in order or whenever.
func (d dictionary) catalogBy(expect func(string) *scripted.Step) {
	expect(tablesSQL).With(owner).Rows(d.tables...)
	expect(columnsSQL).With(owner).Rows(d.columns...)
	expect(countersSQL).With(owner).Rows(d.counters...)
	expect(constraintsSQL).With(owner).Rows(d.constraints...)
	expect(keyColumnsSQL).With(owner, owner).Rows(d.keyColumns...)
	expect(indexesSQL).With(owner).Rows(d.indexes...)
	expect(indexColumnsSQL).With(owner).Rows(d.indexColumns...)
	expect(indexExpressionsSQL).With(owner).Rows(d.indexExpressions...)
	expect(sequencesSQL).With(owner).Rows(d.sequences...)
}

// objects expects the queries for what is no table.
func (d dictionary) objects(s *scripted.Script) {
	s.Expect(triggersSQL).With(owner).Rows(d.triggers...)
	s.Expect(codeSQL).With(owner).Rows(d.code...)
	s.Expect(viewColumnsSQL).With(owner).Rows(d.viewColumns...)
	s.Expect(viewCommentsSQL).With(owner, owner).Rows(d.viewComments...)
	s.Expect(viewsSQL).With(owner).Rows(d.views...)
	s.Expect(namedSQL).With(owner).Rows(d.others...)
	for _, l := range listings(server{owner: owner, user: d.by()}) {
		step := s.Expect(l.SQL).With(owner)
		if rows := d.listed[l.Kind]; len(rows) > 0 {
			step.Rows(namesOnly(rows)...)
		}
	}
}

func namesOnly(names []string) [][]any {
	out := make([][]any, len(names))
	for i, name := range names {
		out[i] = []any{nil, name}
	}
	return out
}

// tableRow is a row of tablesSQL.
func tableRow(name string, more ...any) []any {
	row := []any{name, "N", "NO", nil, nil, "3", "120", nil}
	copy(row[1:], more)
	return row
}

// columnRow is a row of columnsSQL; length is in bytes.
func columnRow(table, name, data string, length int64, precision, scale any, nullable string, more ...any) []any {
	row := []any{table, name, data, nil, length, precision, scale, "0", nil, nullable, "NO", "NO", nil, "NO", "NO", nil}
	if data == "VARCHAR2" || data == "CHAR" || data == "NVARCHAR2" || data == "NCHAR" {
		row[7], row[8] = length, "B"
	}
	if data == "NVARCHAR2" || data == "NCHAR" {
		row[7] = length / 2
	}
	for i := 0; i+1 < len(more); i += 2 {
		row[more[i].(int)] = more[i+1]
	}
	return row
}

// Places in a row of columnsSQL.
const (
	atOwner    = 3
	atChars    = 7
	atCharUsed = 8
	atVirtual  = 10
	atIdentity = 11
	atComment  = 12
	atHidden   = 13
	atOnNull   = 14
	atDefault  = 15
)

// constraintRow is a row of constraintsSQL.
func constraintRow(name, kind, table string, ref, refTable, rule any, more ...any) []any {
	row := []any{name, kind, table, nil, ref, refTable, rule, "ENABLED", "NOT DEFERRABLE", "IMMEDIATE", "VALIDATED", nil, nil}
	if ref != nil {
		row[3] = owner
	}
	if kind == "P" || kind == "U" {
		row[11] = name
	}
	for i := 0; i+1 < len(more); i += 2 {
		row[more[i].(int)] = more[i+1]
	}
	return row
}

// chinook is part of the sample of that name, as its script for Oracle makes it.
func chinook() dictionary {
	return dictionary{
		version: "19.0.0.0.0", charset: "AL32UTF8",
		tables: [][]any{tableRow("ALBUM"), tableRow("ARTIST"), tableRow("INVOICE"), tableRow("PLAYLISTTRACK")},
		columns: [][]any{
			columnRow("ALBUM", "ALBUMID", "NUMBER", 22, nil, nil, "N"),
			columnRow("ALBUM", "TITLE", "VARCHAR2", 160, nil, nil, "N"),
			columnRow("ALBUM", "ARTISTID", "NUMBER", 22, nil, nil, "N"),
			columnRow("ARTIST", "ARTISTID", "NUMBER", 22, nil, nil, "N"),
			columnRow("ARTIST", "NAME", "VARCHAR2", 120, nil, nil, "Y"),
			columnRow("INVOICE", "INVOICEID", "NUMBER", 22, nil, nil, "N"),
			columnRow("INVOICE", "INVOICEDATE", "DATE", 7, nil, nil, "N"),
			columnRow("INVOICE", "BILLINGCITY", "VARCHAR2", 40, nil, nil, "Y"),
			columnRow("INVOICE", "TOTAL", "NUMBER", 22, "10", "2", "N"),
			columnRow("PLAYLISTTRACK", "PLAYLISTID", "NUMBER", 22, nil, nil, "N"),
			columnRow("PLAYLISTTRACK", "TRACKID", "NUMBER", 22, nil, nil, "N"),
			columnRow("SOMEVIEW", "X", "NUMBER", 22, nil, nil, "N"),
		},
		constraints: [][]any{
			constraintRow("FK_ALBUMARTISTID", "R", "ALBUM", "PK_ARTIST", "ARTIST", "NO ACTION"),
			constraintRow("PK_ALBUM", "P", "ALBUM", nil, nil, nil),
			constraintRow("SYS_C008301", "C", "ALBUM", nil, nil, nil, 12, `"TITLE" IS NOT NULL`),
			constraintRow("PK_ARTIST", "P", "ARTIST", nil, nil, nil),
			constraintRow("PK_INVOICE", "P", "INVOICE", nil, nil, nil),
			constraintRow("PK_PLAYLISTTRACK", "P", "PLAYLISTTRACK", nil, nil, nil),
		},
		keyColumns: [][]any{
			{owner, "FK_ALBUMARTISTID", "ARTISTID"}, {owner, "PK_ALBUM", "ALBUMID"}, {owner, "PK_ARTIST", "ARTISTID"},
			{owner, "PK_INVOICE", "INVOICEID"}, {owner, "PK_PLAYLISTTRACK", "PLAYLISTID"}, {owner, "PK_PLAYLISTTRACK", "TRACKID"},
			{owner, "SYS_C008301", "TITLE"},
		},
		indexes: [][]any{
			{"ALBUM", "IFK_ALBUMARTISTID", "NORMAL", "NONUNIQUE"}, {"ALBUM", "PK_ALBUM", "NORMAL", "UNIQUE"},
			{"ARTIST", "PK_ARTIST", "NORMAL", "UNIQUE"}, {"INVOICE", "PK_INVOICE", "NORMAL", "UNIQUE"},
			{"PLAYLISTTRACK", "PK_PLAYLISTTRACK", "NORMAL", "UNIQUE"},
		},
		indexColumns: [][]any{
			{"IFK_ALBUMARTISTID", "1", "ARTISTID", "ASC"}, {"PK_ALBUM", "1", "ALBUMID", "ASC"}, {"PK_ARTIST", "1", "ARTISTID", "ASC"},
			{"PK_INVOICE", "1", "INVOICEID", "ASC"}, {"PK_PLAYLISTTRACK", "1", "PLAYLISTID", "ASC"}, {"PK_PLAYLISTTRACK", "2", "TRACKID", "ASC"},
		},
	}
}

// awkward has one of everything that is not usual.
func awkward() dictionary {
	d := dictionary{
		version: "23.0.0.0.0", charset: "AL32UTF8",
		tables: [][]any{
			tableRow("Quoted Table", "N", "YES", nil, nil, "7", "700", "it's a table"), tableRow("IOT", "N", "NO", "IOT"),
			tableRow("GTT", "Y"),
		},
		columns: [][]any{
			columnRow("Quoted Table", "id", "NUMBER", 22, "10", "0", "N", atIdentity, "YES", atDefault, `"CHINOOK"."ISEQ$$_73001".nextval`),
			columnRow("Quoted Table", "UPPER", "VARCHAR2", 80, nil, nil, "N", atChars, "20", atCharUsed, "C", atDefault, "'it''s' "),
			columnRow("Quoted Table", "wide", "NVARCHAR2", 60, nil, nil, "Y", atComment, "a \"wide\" one"),
			columnRow("Quoted Table", "any", "NUMBER", 22, nil, nil, "Y"),
			columnRow("Quoted Table", "int", "NUMBER", 22, nil, "0", "Y"),
			columnRow("Quoted Table", "cents", "NUMBER", 22, "5", "-2", "Y"),
			columnRow("Quoted Table", "f", "FLOAT", 22, "126", nil, "Y"),
			columnRow("Quoted Table", "bf", "BINARY_FLOAT", 4, nil, nil, "Y"),
			columnRow("Quoted Table", "bd", "BINARY_DOUBLE", 8, nil, nil, "Y"),
			columnRow("Quoted Table", "ts", "TIMESTAMP(9)", 11, nil, "9", "Y", atHidden, "YES", atOnNull, "YES", atDefault, "SYSTIMESTAMP"),
			columnRow("Quoted Table", "tz", "TIMESTAMP(6) WITH TIME ZONE", 13, nil, "6", "Y"),
			columnRow("Quoted Table", "ltz", "TIMESTAMP(3) WITH LOCAL TIME ZONE", 11, nil, "3", "Y"),
			columnRow("Quoted Table", "ym", "INTERVAL YEAR(4) TO MONTH", 5, "4", "0", "Y"),
			columnRow("Quoted Table", "ds", "INTERVAL DAY(2) TO SECOND(6)", 11, "2", "6", "Y"),
			columnRow("Quoted Table", "doc", "CLOB", 4000, nil, nil, "Y"),
			columnRow("Quoted Table", "raw", "RAW", 16, nil, nil, "Y"),
			columnRow("Quoted Table", "bin", "BLOB", 4000, nil, nil, "Y"),
			columnRow("Quoted Table", "xml", "XMLTYPE", 2000, nil, nil, "Y", atOwner, "PUBLIC"),
			columnRow("Quoted Table", "js", "JSON", 8200, nil, nil, "Y"),
			columnRow("Quoted Table", "yes", "BOOLEAN", 1, nil, nil, "Y"),
			columnRow("Quoted Table", "rid", "ROWID", 10, nil, nil, "Y"),
			columnRow("Quoted Table", "obj", "ADDRESS_T", 1, nil, nil, "Y", atOwner, "CHINOOK"),
			columnRow("Quoted Table", "file", "BFILE", 530, nil, nil, "Y"),
			columnRow("Quoted Table", "twice", "NUMBER", 22, nil, nil, "Y", atVirtual, "YES", atDefault, `"id"*2`),
			columnRow("IOT", "A", "NUMBER", 22, "4", "0", "N"),
			columnRow("IOT", "B", "CHAR", 3, nil, nil, "N"),
			columnRow("GTT", "X", "NUMBER", 22, nil, nil, "Y"),
		},
		counters: [][]any{{"Quoted Table", "id", "ALWAYS", "ISEQ$$_73001"}},
		constraints: [][]any{
			constraintRow("IOT_PK", "P", "IOT", nil, nil, nil),
			constraintRow("IOT_OTHER", "R", "IOT", "HR_PK", "EMP", "SET NULL", 3, "HR"),
			constraintRow("QT_PK", "P", "Quoted Table", nil, nil, nil, 8, "DEFERRABLE", 9, "DEFERRED"),
			constraintRow("QT_UK", "U", "Quoted Table", nil, nil, nil),
			constraintRow("QT_CHECK", "C", "Quoted Table", nil, nil, nil, 10, "NOT VALIDATED", 12, `"cents" > 0`),
			constraintRow("QT_OFF", "C", "Quoted Table", nil, nil, nil, 7, "DISABLED", 12, `"any" < 5`),
			constraintRow("QT_SELF", "R", "Quoted Table", "QT_PK", "Quoted Table", "CASCADE"),
		},
		keyColumns: [][]any{
			{owner, "IOT_PK", "A"}, {owner, "IOT_PK", "B"}, {owner, "IOT_OTHER", "A"}, {"HR", "HR_PK", "EMPNO"},
			{owner, "QT_PK", "id"}, {owner, "QT_UK", "UPPER"}, {owner, "QT_CHECK", "cents"}, {owner, "QT_OFF", "any"}, {owner, "QT_SELF", "int"},
		},
		indexes: [][]any{
			{"IOT", "IOT_PK", "NORMAL", "UNIQUE"}, {"Quoted Table", "QT_PK", "NORMAL", "UNIQUE"}, {"Quoted Table", "QT_UK", "NORMAL", "UNIQUE"},
			{"Quoted Table", "QT_LOWER", "FUNCTION-BASED NORMAL", "NONUNIQUE"}, {"Quoted Table", "QT_BITS", "BITMAP", "NONUNIQUE"},
			{"Quoted Table", "QT_BACK", "NORMAL/REV", "NONUNIQUE"}, {"Quoted Table", "QT_TEXT", "DOMAIN", "NONUNIQUE"},
		},
		indexColumns: [][]any{
			{"IOT_PK", "1", "A", "ASC"}, {"IOT_PK", "2", "B", "ASC"}, {"QT_PK", "1", "id", "ASC"}, {"QT_UK", "1", "UPPER", "ASC"},
			{"QT_LOWER", "1", "SYS_NC00027$", "ASC"}, {"QT_LOWER", "2", "SYS_NC00028$", "DESC"}, {"QT_BITS", "1", "yes", "ASC"}, {"QT_BACK", "1", "int", "ASC"},
			{"QT_TEXT", "1", "doc", "ASC"},
		},
		indexExpressions: [][]any{{"QT_LOWER", "1", `LOWER("UPPER")`}, {"QT_LOWER", "2", `"any"`}},
		sequences: [][]any{
			{"FREE", "1", "9999999999999999999999999999", "5", "N", "20", "101"},
			{"ISEQ$$_73001", "1", "9999999999999999999999999999", "1", "N", "20", "41"},
		},
		views:        [][]any{{"V_OBJ", "Y", "SELECT x FROM ot"}, {"V_ONE", nil, "SELECT 1 one FROM dual\n"}},
		viewColumns:  [][]any{{"V_ONE", "ONE"}},
		viewComments: [][]any{{"V_ONE", nil, "just one"}, {"V_ONE", "ONE", "it's 1"}},
		code: [][]any{
			{"FUNCTION", "F", "FUNCTION f RETURN NUMBER IS\n"}, {"FUNCTION", "F", "BEGIN RETURN 1; END;\n"},
			{"TRIGGER", "T_BI", "TRIGGER t_bi BEFORE INSERT ON \"Quoted Table\" BEGIN NULL; END;\n"},
		},
		triggers: [][]any{{"T_BI", "TABLE           ", owner, "Quoted Table", "DISABLED"}},
		others:   [][]any{{"DATABASE LINK", "REMOTE"}, {"MATERIALIZED VIEW", "MV"}, {"QUEUE", "Q"}, {"SYNONYM", "SYN"}},
		listed: map[string][]string{
			"object table": {"OT"}, "queue table": {"QTAB"}, "trigger": {"HR.AUDIT_IT"}, "row policy": {"IOT.P"}, "public synonym": {"EVERYBODYS"}, "grants": {"V_ONE"},
		},
	}
	return d
}
