package output

import (
	"maps"
	"reflect"
	"slices"

	"github.com/packstone/packstone/cmd/internal/jsonschema"
)

// SchemaOf returns a JSON Schema with a definition for each message, by its type, each summary, by
// its verb, and each list, by a row of it.
func SchemaOf(messages, summaries, lists map[string]any) jsonschema.Schema {
	definitions, any := jsonschema.Schema{}, []jsonschema.Schema{}
	define := func(name string, s jsonschema.Schema) {
		definitions[name] = s
		any = append(any, jsonschema.Schema{"$ref": "#/$defs/" + name})
	}
	for _, name := range slices.Sorted(maps.Keys(messages)) {
		define(name, schemaOfMessage(name, messages[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(summaries)) {
		define("summary_"+name, schemaOfMessage("summary", summaries[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		define("list_"+name, jsonschema.Of(reflect.SliceOf(reflect.TypeOf(lists[name])), "json"))
	}
	return jsonschema.Schema{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   Schema,
		"$defs":   definitions,
		"anyOf":   any,
	}
}

// schemaOfMessage returns the schema of a message, with the fields that every message has.
func schemaOfMessage(kind string, message any) jsonschema.Schema {
	s := jsonschema.Of(reflect.TypeOf(message), "json")
	properties := s["properties"].(jsonschema.Schema)
	properties["schema"] = jsonschema.Schema{"const": Schema}
	properties["message_type"] = jsonschema.Schema{"const": kind}
	required, _ := s["required"].([]string)
	s["required"] = append([]string{"schema", "message_type"}, required...)
	return s
}
