package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/packstone/packstone/cmd/internal/jsonschema"
	"github.com/packstone/packstone/pipeline/database"
)

// Source is one source: its type, and the settings of that type.
type Source struct {
	Type string
	Settings
}

// Settings are the settings of one type of source.
type Settings interface {
	// Location returns where the source is, without secrets. Sources with different locations are
	// different sources.
	Location() string
	// check reports what is wrong with the settings at path, and makes paths in them absolute.
	check(d *decoder, path string)
}

// alternative is a type of source for which exactly one of several settings must be set.
type alternative interface{ oneOf() []string }

// types are the types of sources. A new type needs one line here and a struct with its settings.
var types = map[string]func() Settings{
	"files":    func() Settings { return new(Files) },
	"settings": func() Settings { return new(Components) },
	"command":  func() Settings { return new(Command) },
	"database": func() Settings { return new(Database) },
	"lake":     func() Settings { return new(Lake) },
}

// Components are the instance folders of a platform's components.
type Components struct {
	Components map[string]string `yaml:"components" doc:"The instance folder of each component, by the component's name."`
	Exclude    []string          `yaml:"exclude,omitempty" doc:"Patterns of what to leave out, as in .gitignore; /api/log is log in the folder of the component api."`
	AllowEmpty bool              `yaml:"allow_empty,omitempty" doc:"Accept a folder with nothing in it."`
}

// Command is a program whose output is backed up as one file.
type Command struct {
	Command     []string `yaml:"command" doc:"The program and its arguments; no shell is involved. If it exits with an error there is no snapshot."`
	Name        string   `yaml:"name" doc:"The name of the file that its output becomes."`
	AllowEmpty  bool     `yaml:"allow_empty,omitempty" doc:"Accept a program that prints nothing. Else that is an error, since a dump that is empty has failed."`
	Environment []string `yaml:"environment,omitempty" doc:"Names of variables with secrets that the program sees; without, it sees none of packstone's keys, passwords and passphrases."`
}

// Database is a database, of which one consistent snapshot is stored as rows.
type Database struct {
	URL     string `yaml:"url,omitempty" doc:"postgres://, mysql://, oracle://, sqlserver:// or sqlite:PATH."`
	URLFile string `yaml:"url_file,omitempty" doc:"A file that holds the URL, so that no password stands here. One of url and url_file is set."`
}

// Location returns the components and their folders.
func (s *Components) Location() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.Components)) {
		parts = append(parts, name+"="+s.Components[name])
	}
	return strings.Join(parts, " ")
}

// Location returns the program and the file's name, without arguments, which may be secret.
func (c *Command) Location() string { return c.Command[0] + " > " + c.Name }

func (b *Database) oneOf() []string { return []string{"url", "url_file"} }

// Location returns the URL without its password, or the file that contains it.
func (b *Database) Location() string {
	location, err := database.ParseLocation(b.URL)
	if err != nil {
		return b.URLFile
	}
	return location.String()
}

func (s *Components) check(d *decoder, path string) {
	if len(s.Components) == 0 {
		d.problemAt(path+".components", "names no component")
	}
	for name, folder := range s.Components {
		d.checkName(path+".components", name)
		d.checkFilled(join(path+".components", name), folder)
		s.Components[name] = d.resolve(folder)
	}
	d.checkOpens(path, s)
}

func (c *Command) check(d *decoder, path string) {
	if len(c.Command) == 0 || c.Command[0] == "" {
		d.problemAt(path+".command", "names no program")
	}
	d.checkName(path+".name", c.Name)
}

func (b *Database) check(d *decoder, path string) {
	b.URLFile = d.resolve(b.URLFile)
	if (b.URL == "") == (b.URLFile == "") {
		d.problemAt(path, "set one of url and url_file")
	}
	if b.URL == "" {
		return
	}
	location, err := database.ParseLocation(b.URL)
	if err != nil {
		d.problemAt(path+".url", "%v", err)
		return
	}
	if _, known := Engines[location.Scheme()]; !known {
		schemes := slices.Sorted(maps.Keys(Engines))
		d.problemAt(path+".url", "there is no kind of database %s:; use one of %s", location.Scheme(), strings.Join(schemes, ", "))
	}
	if location.Scheme() == "sqlite" {
		b.URL = "sqlite:" + d.resolve(location.Reveal())
	}
}

// decodeNode decodes the settings of the source's type.
func (s *Source) decodeNode(d *decoder, path string, node ast.Node) {
	settings, ok := node.(ast.MapNode)
	if !ok {
		d.problem(lineOf(node), "%s: expected key: value, found %s", path, describe(node))
		return
	}
	for _, p := range pairs(settings) {
		if p.name() == "type" {
			s.Type = d.text(join(path, "type"), p.value)
		}
	}
	make, ok := types[s.Type]
	if !ok {
		d.problem(lineOf(node), "%s: type must be one of %s", path, strings.Join(slices.Sorted(maps.Keys(types)), ", "))
		return
	}
	s.Settings = make()
	d.decodeStruct(path, node, reflect.ValueOf(s.Settings).Elem(), "type")
}

// MarshalYAML writes the type before the settings.
func (s Source) MarshalYAML() (any, error) {
	text, err := yaml.Marshal(s.Settings)
	if err != nil {
		return nil, err
	}
	settings := yaml.MapSlice{}
	if err := yaml.UnmarshalWithOptions(text, &settings, yaml.UseOrderedMap()); err != nil {
		return nil, err
	}
	return append(yaml.MapSlice{{Key: "type", Value: s.Type}}, settings...), nil
}

// JSONSchema describes a source of each type.
func (Source) JSONSchema() jsonschema.Schema {
	var one []jsonschema.Schema
	for _, name := range slices.Sorted(maps.Keys(types)) {
		s := jsonschema.Of(reflect.TypeOf(types[name]()), "yaml")
		s["properties"].(jsonschema.Schema)["type"] = jsonschema.Schema{"const": name}
		required, _ := s["required"].([]string)
		s["required"] = append([]string{"type"}, required...)
		if a, ok := types[name]().(alternative); ok {
			var ways []jsonschema.Schema
			for _, setting := range a.oneOf() {
				ways = append(ways, jsonschema.Schema{"required": []string{setting}})
			}
			s["oneOf"] = ways
		}
		one = append(one, s)
	}
	return jsonschema.Schema{"type": "object", "oneOf": one}
}
