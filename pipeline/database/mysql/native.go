package mysql

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// This file holds the statements that came with a schema to the forms of their kinds. The server
// takes one statement at a time from us, so that what a form begins with is what is done.

// statements is an object's own SQL once it is known to make that object.
type statements struct {
	object  *database.Object
	setting string // how the session is to be; empty: as ours is
	main    string
	code    *stored // nil for what has no definer
}

// stored is code, or a view, that runs with its definer's rights.
type stored struct {
	*sqltext.Statement
	definer string // user@host; empty: whoever makes it
	// clause and security are the places of DEFINER=… and of SQL SECURITY DEFINER in the text;
	// empty where there is none.
	clause, security [2]int
	invoker          bool
}

// reader reads statements for a server.
type reader struct {
	server server
	name   string // of the database in the source
	handed bool   // the schema comes from a file
}

const definedBy = "[ definer = $id:user [ @ $id:host ] ] "

// forms are the statements of each kind. Keys are added to their table by themselves.
var forms = map[string][]string{
	"table":       {"create table $name $group:lines $rest:options"},
	"sequence":    {"create sequence $name $rest:plain"},
	"primary key": {"alter table $table add primary key $list"},
	"unique":      {"alter table $table add unique key $id $list"},
	"index":       {"alter table $table add [ unique|fulltext|spatial|vector ] key $id $list"},
	"foreign key": {"alter table $table add [ constraint $id ] foreign key $list"},
	"view": {
		"create [ algorithm = $id ] " + definedBy + "[ sql security $id:security ] view $name [ $group ] as $rest",
	},
	"trigger": {
		"create " + definedBy + "trigger [ if not exists ] [ $id:schema . ] $id:own before|after insert|update|delete on [ $id:place . ] $id:table for each row $rest",
	},
	"procedure":    {"create " + definedBy + "procedure $name [ $group ] $rest:tail"},
	"function":     {"create " + definedBy + "[ aggregate ] function $name [ $group ] $rest:tail"},
	"package":      {"create " + definedBy + "package $name $rest:tail"},
	"package body": {"create " + definedBy + "package body $name $rest:tail"},
	"event":        {"create " + definedBy + "event $name on schedule $rest"},
}

// isCode says that an object of a kind runs with its definer's rights and that its text holds other
// statements.
func isCode(kind string) bool {
	switch kind {
	case "view", "trigger", "procedure", "function", "package", "package body", "event":
		return true
	}
	return false
}

// read holds an object's statements to the forms of its kind.
func (r *reader) read(o *database.Object) (*statements, error) {
	out := &statements{object: o}
	parts := o.DDL
	if len(parts) == 1 {
		parts = apart(parts[0])
	}
	mode := fillMode
	if len(parts) == 2 && isCode(o.Kind) {
		setting, named, err := readSetting(parts[0], parts[1])
		if err != nil {
			return nil, err
		}
		out.setting, parts = setting, parts[1:]
		mode = named
	}
	if len(parts) != 1 {
		return nil, errors.New("it is more than one")
	}
	out.main = parts[0]
	return out, r.readMain(out, mode)
}

// apart parts the setting that a file keeps before the statement of code.
func apart(text string) []string {
	if setting, main, ok := strings.Cut(text, ";\n"); ok && strings.HasPrefix(setting, "SET SESSION ") {
		return []string{setting, main}
	}
	return []string{text}
}

// settingForm is what clientContext writes.
const settingForm = "set session character_set_client = $one:charset [ , session collation_connection = $one:collation ] [ , session sql_mode = $text:mode ] [ , session time_zone = $text:zone ]"

var (
	plainWord = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	modeWords = regexp.MustCompile(`^[A-Za-z0-9_,]*$`)
	zoneWords = regexp.MustCompile(`^[A-Za-z0-9_+:/-]+$`)
)

// readSetting says how the session is to be for a statement. A character set in which a part of a
// character may look like a quote goes with plain text alone.
func readSetting(sql, main string) (setting, mode string, err error) {
	st, err := sqltext.MySQL("", nil).Parse(sql, false)
	if err != nil {
		return "", "", err
	}
	bound, ok := st.Match(settingForm, sqltext.Own{})
	value := func(place string) string {
		if tokens := bound[place]; len(tokens) > 0 {
			return tokens[0].Value
		}
		return ""
	}
	charset := value("charset")
	good := ok && plainWord.MatchString(charset) && (bound["collation"] == nil || plainWord.MatchString(value("collation"))) &&
		modeWords.MatchString(value("mode")) && (bound["zone"] == nil || zoneWords.MatchString(value("zone")))
	if !good || !ascii(main) && !strings.HasPrefix(charset, "utf8") {
		return "", "", errors.New("the setting before it is not understood")
	}
	mode = noMode
	if bound["mode"] != nil {
		mode = value("mode")
	}
	return clientContextOf(charset, value("collation"), mode, value("zone")), strings.TrimPrefix(mode, noMode), nil
}

// readMain matches the statement itself.
func (r *reader) readMain(out *statements, mode string) error {
	o := out.object
	st, err := sqltext.MySQL(mode, r.server.executes).Parse(out.main, isCode(o.Kind) && o.Kind != "view")
	if err != nil {
		return err
	}
	for _, form := range forms[o.Kind] {
		bound, ok := st.Match(form, sqltext.Own{Name: o.Name, Table: []string{o.Table}})
		if !ok {
			continue
		}
		switch {
		case isCode(o.Kind):
			return r.readCode(out, st, bound)
		case o.Kind == "table":
			return tableForm(st, bound)
		case o.Kind == "sequence":
			return plainForm(bound["plain"])
		case !strings.HasPrefix(out.main, "ALTER TABLE "+quote(o.Table)+" ADD "):
			return errors.New("it is not spelt as the server spells it")
		}
		return nil
	}
	return fmt.Errorf("it does not make %s", o.ObjectID)
}

// executes says whether the server reads what stands in a comment /*!NNNNN … */. MariaDB passes
// over what is MySQL's own.
func (s server) executes(version int) bool {
	if s.mariadb() && version >= 50700 && version < 100000 {
		return false
	}
	return version <= s.number
}

// lineWords begin the lines of a table's definition that are no columns.
var lineWords = []string{"primary", "unique", "key", "fulltext", "spatial", "vector", "constraint", "foreign", "check", "period"}

// queryWords would make a table's options a query, or the definition of another one.
var queryWords = []string{"select", "table", "row", "as", "like", "ignore", "replace", "into", "dual", "outfile", "dumpfile"}

// tableForm: a table is made of its columns and keys, and of nothing that is asked for elsewhere.
func tableForm(st *sqltext.Statement, bound sqltext.Bound) error {
	for _, item := range sqltext.Items(sqltext.Inside(bound["lines"])) {
		if len(item) < 2 || item[0].Kind != sqltext.Name && !slices.ContainsFunc(lineWords, item[0].Is) {
			return errors.New("its columns are not understood")
		}
	}
	for _, t := range bound["options"] {
		if slices.ContainsFunc(queryWords, t.Is) {
			return fmt.Errorf("its options hold %s", strings.ToUpper(t.Value))
		}
	}
	if culprit := effects(st.Tokens); culprit != "" {
		return fmt.Errorf("it calls %s", culprit)
	}
	return nil
}

func plainForm(tokens []sqltext.Token) error {
	for _, t := range tokens {
		if t.Kind != sqltext.Word && t.Kind != sqltext.Number && !t.Is("-") && !t.Is("=") {
			return errors.New("its options are not understood")
		}
	}
	return nil
}

// withEffects are functions of the server that wait, read files, hold locks or run something. The
// server itself lets no expression of a table call functions that a database defines.
var withEffects = map[string]bool{
	"load_file": true, "sleep": true, "benchmark": true, "get_lock": true, "release_lock": true, "release_all_locks": true,
	"is_free_lock": true, "is_used_lock": true, "master_pos_wait": true, "source_pos_wait": true, "master_gtid_wait": true,
	"wait_for_executed_gtid_set": true, "wait_until_sql_thread_after_gtids": true, "sys_exec": true, "sys_eval": true, "setval": true,
}

// effects names the first such function that is called.
func effects(tokens []sqltext.Token) string {
	for _, c := range sqltext.Calls(tokens) {
		if withEffects[strings.ToLower(c.Name)] {
			return c.Name
		}
	}
	return ""
}

// reaches says what in a table's options leads out of the database.
func (r *reader) reaches(main string) string {
	st, err := sqltext.MySQL(fillMode, r.server.executes).Parse(main, false)
	if err != nil {
		return ""
	}
	bound, _ := st.Match("create table $id $group $rest:options", sqltext.Own{})
	options := bound["options"]
	for i, t := range options {
		switch {
		case t.Is("connection") || t.Is("directory"):
			return "its " + strings.ToUpper(t.Value)
		case t.Is("union") && slices.ContainsFunc(options[i:], func(t sqltext.Token) bool { return t.Is(".") }):
			return "its UNION"
		case t.Is("engine") && i+2 < len(options) && !ownEngines[strings.ToLower(options[i+2].Value)]:
			return "its engine " + options[i+2].Value
		}
	}
	return ""
}

// ownEngines keep rows in the database, and only there.
var ownEngines = map[string]bool{
	"innodb": true, "myisam": true, "aria": true, "memory": true, "csv": true, "archive": true, "blackhole": true, "mrg_myisam": true,
	"merge": true, "rocksdb": true, "columnstore": true, "sequence": true, "tokudb": true, "ndbcluster": true, "ndb": true,
}

// readCode finds the definer, and what says whose rights count.
func (r *reader) readCode(out *statements, st *sqltext.Statement, bound sqltext.Bound) error {
	c := &stored{Statement: st}
	if out.object.Kind == "function" && slices.ContainsFunc(bound["tail"], func(t sqltext.Token) bool { return t.Is("soname") }) && bound["tail"][0].Is("returns") {
		return errors.New("it loads a library")
	}
	if user := bound["user"]; user != nil && !user[0].Is("current_user") && !user[0].Is("current_role") {
		c.definer = user[0].Value
		end := user[0].End
		if host := bound["host"]; host != nil {
			c.definer, end = c.definer+"@"+host[0].Value, host[0].End
		}
		c.clause = [2]int{c.before("definer").At, end}
	}
	if security := bound["security"]; security != nil {
		c.security = [2]int{c.before("sql").At, security[0].End}
		c.invoker = security[0].Is("invoker")
	} else {
		c.invoker = invokes(bound["tail"])
	}
	out.code = c
	if out.object.Kind == "trigger" {
		return r.readTrigger(out, bound)
	}
	return nil
}

// before finds the first token that is this word.
func (c *stored) before(word string) sqltext.Token {
	return c.Tokens[slices.IndexFunc(c.Tokens, func(t sqltext.Token) bool { return t.Is(word) })]
}

// invokes finds SQL SECURITY INVOKER among what stands before a routine's body.
func invokes(tail []sqltext.Token) bool {
	for i := 0; i+2 < len(tail) && !tail[i].Is("begin"); i++ {
		if tail[i].Is("sql") && tail[i+1].Is("security") {
			return tail[i+2].Is("invoker")
		}
	}
	return false
}

// readTrigger compares names, which a trigger's text has as they were typed: with the source's
// database, too.
func (r *reader) readTrigger(out *statements, bound sqltext.Bound) error {
	o := out.object
	if !strings.EqualFold(bound["own"][0].Value, o.Name) || !strings.EqualFold(bound["table"][0].Value, o.Table) {
		return errors.New("it makes another trigger, or one of another table")
	}
	for _, place := range []string{"place", "schema"} { // from the end on, so that places stay
		named := bound[place]
		if named == nil {
			continue
		}
		if named[0].Value != r.name {
			return fmt.Errorf("it is about the database %s", named[0].Value)
		}
		next := out.code.after(named[0])
		out.main = out.main[:named[0].At] + out.main[next.At:]
	}
	return nil
}

// after is the token that follows the dot after a name.
func (c *stored) after(name sqltext.Token) sqltext.Token {
	i := slices.IndexFunc(c.Tokens, func(t sqltext.Token) bool { return t.At == name.At })
	return c.Tokens[i+2]
}
