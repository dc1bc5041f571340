package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/packstone/packstone/cmd/internal/hook"
	"github.com/packstone/packstone/cmd/internal/jsonschema"
)

// decoder fills structs from a YAML tree by their yaml tags. Unlike the YAML library's own decoder
// it finds all problems of a file at once, and words them in terms of the file.
type decoder struct {
	file     string
	dir      string // of the file, absolute
	lookup   Lookup
	lines    map[string]int // where a setting stands, by its path such as sets.platform.sources
	problems Problems
	broken   []string // paths of settings that could not be decoded, so that nothing is to be said of what they contradict
}

// nodeDecoder is a setting that can have several forms.
type nodeDecoder interface {
	decodeNode(d *decoder, path string, node ast.Node)
}

func (d *decoder) problem(line int, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: line, Text: fmt.Sprintf(format, args...)})
}

// noteBroken records which settings the problems so far concern.
func (d *decoder) noteBroken() {
	for _, p := range d.problems {
		if path, _, ok := strings.Cut(p.Text, ": "); ok && !strings.Contains(path, `"`) {
			d.broken = append(d.broken, path)
		}
	}
}

// isBroken reports whether a setting, or something in it or around it, could not be decoded.
func (d *decoder) isBroken(path string) bool {
	return slices.ContainsFunc(d.broken, func(broken string) bool {
		return strings.HasPrefix(broken+".", path+".") || strings.HasPrefix(path+".", broken+".")
	})
}

// problemAt reports a problem of a setting that was decoded.
func (d *decoder) problemAt(path, format string, args ...any) {
	if d.isBroken(path) {
		return
	}
	d.problem(d.lineOf(path), "%s: %s", path, fmt.Sprintf(format, args...))
}

// lineOf returns the line of a setting, or of the innermost setting around it with a line.
func (d *decoder) lineOf(path string) int {
	for path != "" {
		if line, ok := d.lines[path]; ok {
			return line
		}
		path = path[:max(0, strings.LastIndexByte(path, '.'))]
	}
	return 1
}

// decodeFile decodes the text, and reports whether it is YAML that can be decoded. Wrong settings
// are problems, but do not prevent that.
func (d *decoder) decodeFile(text []byte, c *Config) bool {
	file, err := parse(text)
	if err != nil {
		d.syntax(err)
		return false
	}
	body := d.body(file)
	if body == nil || !supported(d, body, 0) {
		return false
	}
	d.decode("", body, reflect.ValueOf(c).Elem())
	return true
}

// parse parses the text. The parser is a library, which must not crash the program on bad input.
func parse(text []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("not YAML: %v", r)
		}
	}()
	return parser.ParseBytes(text, 0)
}

func (d *decoder) syntax(err error) {
	line, text := 1, err.Error()
	var located yaml.Error
	if errors.As(err, &located) {
		text = located.GetMessage()
		if token := located.GetToken(); token != nil && token.Position != nil {
			line = token.Position.Line
		}
	}
	hint := ""
	if strings.Contains(text, "flow") || strings.Contains(text, "'}'") {
		hint = "; inside [ ] and { }, quote a value that holds ${…}"
	}
	d.problem(line, "%s%s", text, hint)
}

// body returns the only document of a file. A file with only comments is an error, since version is
// missing.
func (d *decoder) body(file *ast.File) ast.Node {
	var found ast.Node
	for _, document := range file.Docs {
		if document == nil || document.Body == nil || document.Body.Type() == ast.CommentType {
			continue
		}
		if found != nil {
			d.problem(lineOf(document.Body), "a second document begins here; settings are one document")
			return nil
		}
		found = document.Body
	}
	if found == nil {
		d.problem(1, "the file is empty; it begins with version: 1")
	}
	return found
}

const maxDepth = 20

// supported refuses what makes a file mean something else than it appears to: anchors, aliases,
// merges and tags.
func supported(d *decoder, node ast.Node, depth int) bool {
	if node == nil {
		return true
	}
	if depth > maxDepth {
		d.problem(lineOf(node), "nested deeper than %d levels", maxDepth)
		return false
	}
	switch node.Type() {
	case ast.AnchorType, ast.AliasType, ast.MergeKeyType:
		d.problem(lineOf(node), "anchors, aliases and merges are not supported; write the value out")
		return false
	case ast.TagType, ast.DirectiveType:
		d.problem(lineOf(node), "tags and directives are not supported")
		return false
	}
	for _, child := range children(node) {
		if !supported(d, child, depth+1) {
			return false
		}
	}
	return true
}

func children(node ast.Node) []ast.Node {
	switch node := node.(type) {
	case ast.MapNode:
		var all []ast.Node
		for _, p := range pairs(node) {
			all = append(all, p.key, p.value)
		}
		return all
	case *ast.SequenceNode:
		return node.Values
	}
	return nil
}

// pair is one setting of a mapping.
type pair struct {
	key   ast.Node
	value ast.Node
}

func (p pair) name() string { return scalarText(p.key) }

func pairs(node ast.MapNode) []pair {
	var all []pair
	for entries := node.MapRange(); entries.Next(); {
		all = append(all, pair{key: entries.Key(), value: entries.Value()})
	}
	return all
}

// mapping returns the settings below node, and whether it is a mapping at all. It records their
// lines. Null is an empty mapping. The parser ensures that no setting occurs twice.
func (d *decoder) mapping(path string, node ast.Node) ([]pair, bool) {
	if isNull(node) {
		return nil, true
	}
	m, ok := node.(ast.MapNode)
	if !ok {
		d.problem(lineOf(node), "%sexpected key: value, found %s", prefixed(path), describe(node))
		return nil, false
	}
	all := pairs(m)
	for _, p := range all {
		d.lines[join(path, p.name())] = lineOf(p.key)
	}
	return all, true
}

func (d *decoder) decode(path string, node ast.Node, to reflect.Value) {
	if special, ok := to.Addr().Interface().(nodeDecoder); ok {
		special.decodeNode(d, path, node)
		return
	}
	if commands, ok := to.Addr().Interface().(*hook.Commands); ok {
		*commands = d.commands(path, node)
		return
	}
	switch to.Kind() {
	case reflect.Struct:
		d.decodeStruct(path, node, to)
	case reflect.Map:
		d.decodeMap(path, node, to)
	case reflect.Slice:
		d.decodeSlice(path, node, to)
	case reflect.Int:
		d.decodeInt(path, node, to)
	case reflect.Bool:
		d.decodeBool(path, node, to)
	default:
		to.SetString(d.text(path, node))
	}
}

// decodeStruct sets the fields that node names. An unknown name is a problem, and so is a missing
// required field.
func (d *decoder) decodeStruct(path string, node ast.Node, to reflect.Value, known ...string) {
	settings, ok := d.mapping(path, node)
	if !ok {
		return
	}
	missing := map[string]bool{}
	fields := map[string]reflect.Value{}
	for _, field := range reflect.VisibleFields(to.Type()) {
		if name, optional := jsonschema.Name(field, "yaml"); name != "" {
			fields[name] = to.FieldByIndex(field.Index)
			missing[name] = !optional
		}
	}
	for _, p := range settings {
		field, ok := fields[p.name()]
		switch {
		case ok:
			missing[p.name()] = false
			d.decode(join(path, p.name()), p.value, field)
		case !slices.Contains(known, p.name()):
			d.unknown(path, p, slices.Concat(known, slices.Collect(maps.Keys(fields))))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		if missing[name] {
			d.problem(lineOf(node), "%s%s is missing", prefixed(path), name)
		}
	}
}

func (d *decoder) unknown(path string, p pair, known []string) {
	slices.Sort(known)
	where := "here"
	if path != "" {
		where = "in " + path
		d.broken = append(d.broken, path)
	}
	d.problem(lineOf(p.key), "unknown setting %q; %s these are known: %s", p.name(), where, strings.Join(known, ", "))
}

func (d *decoder) decodeMap(path string, node ast.Node, to reflect.Value) {
	to.Set(reflect.MakeMap(to.Type()))
	settings, _ := d.mapping(path, node)
	for _, p := range settings {
		value := reflect.New(to.Type().Elem()).Elem()
		d.decode(join(path, p.name()), p.value, value)
		to.SetMapIndex(reflect.ValueOf(p.name()), value)
	}
}

func (d *decoder) decodeSlice(path string, node ast.Node, to reflect.Value) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		d.problem(lineOf(node), "%sexpected a list, found %s", prefixed(path), describe(node))
		return
	}
	to.Set(reflect.MakeSlice(to.Type(), len(list.Values), len(list.Values)))
	for i, item := range list.Values {
		d.decode(path, item, to.Index(i))
	}
}

// commands decodes one command, a list of texts, or several, a list of such lists.
func (d *decoder) commands(path string, node ast.Node) hook.Commands {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		d.problem(lineOf(node), "%s: expected a command as in [systemctl, stop, app], or a list of commands; found %s", path, describe(node))
		return nil
	}
	several := len(list.Values) > 0 && list.Values[0].Type() == ast.SequenceType
	commands := hook.Commands{}
	if several {
		d.decodeSlice(path, node, reflect.ValueOf((*[][]string)(&commands)).Elem())
	} else {
		commands = hook.Commands{nil}
		d.decodeSlice(path, node, reflect.ValueOf(&commands[0]).Elem())
	}
	for _, command := range commands {
		if len(command) == 0 || command[0] == "" {
			d.problem(lineOf(node), "%s: a command is empty", path)
		}
	}
	return commands
}

func (d *decoder) decodeInt(path string, node ast.Node, to reflect.Value) {
	text := d.text(path, node)
	n, err := strconv.Atoi(text)
	if err != nil {
		d.problem(lineOf(node), "%sexpected a whole number, found %q", prefixed(path), text)
		return
	}
	to.SetInt(int64(n))
}

func (d *decoder) decodeBool(path string, node ast.Node, to reflect.Value) {
	switch text := d.text(path, node); text {
	case "true", "false":
		to.SetBool(text == "true")
	default:
		d.problem(lineOf(node), "%sexpected true or false, found %q", prefixed(path), text)
	}
}

// text returns a scalar as it is written in the file, with variables expanded.
func (d *decoder) text(path string, node ast.Node) string {
	if node == nil || isNull(node) {
		d.problem(d.lineOf(path), "%sexpected a text, found nothing", prefixed(path))
		return ""
	}
	if _, ok := node.(ast.ScalarNode); !ok {
		d.problem(lineOf(node), "%sexpected a text, found %s", prefixed(path), describe(node))
		return ""
	}
	expanded, err := expand(scalarText(node), d.lookup)
	if err != nil {
		d.problem(lineOf(node), "%s%v", prefixed(path), err)
	}
	return expanded
}

func scalarText(node ast.Node) string {
	switch node := node.(type) {
	case *ast.StringNode:
		return node.Value
	case *ast.LiteralNode:
		return node.Value.Value
	}
	if token := node.GetToken(); token != nil {
		return token.Value
	}
	return ""
}

func isNull(node ast.Node) bool { return node == nil || node.Type() == ast.NullType }

func describe(node ast.Node) string {
	switch node.(type) {
	case ast.MapNode:
		return "key: value"
	case *ast.SequenceNode:
		return "a list"
	}
	if isNull(node) {
		return "nothing"
	}
	return strconv.Quote(scalarText(node))
}

func lineOf(node ast.Node) int {
	if node == nil {
		return 1
	}
	if m, ok := node.(ast.MapNode); ok {
		if all := pairs(m); len(all) > 0 {
			node = all[0].key
		}
	}
	if token := node.GetToken(); token != nil && token.Position != nil {
		return max(1, token.Position.Line)
	}
	return 1
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func prefixed(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}
