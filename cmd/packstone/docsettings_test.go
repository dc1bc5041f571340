package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/packstone/packstone/cmd/internal/config"
)

// foreign are keys at the top of YAML files of other programs.
var foreign = []string{"apiVersion", "services", "scrape_configs"}

// checkSettings tells what is wrong with a block of settings: a whole file must be accepted, a part
// must have only settings that there are.
func checkSettings(text string) error {
	var value map[string]any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		return err
	}
	for _, key := range foreign {
		if _, ok := value[key]; ok {
			return nil
		}
	}
	if _, whole := value["version"]; whole {
		_, err := config.Parse("packstone.yaml", []byte(text), func(name string) (string, bool) { return "/srv/" + name, true })
		return err
	}
	document, err := json.Marshal(value)
	if err != nil {
		return err
	}
	part, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return err
	}
	schema, err := partialSchema()
	if err != nil {
		return err
	}
	return schema.Validate(part)
}

// partialSchema is the schema of settings in which nothing is required.
func partialSchema() (*jsonschema.Schema, error) {
	text, err := json.Marshal(config.Schema())
	if err != nil {
		return nil, err
	}
	var schema any
	if err := json.Unmarshal(text, &schema); err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("settings.json", withoutRequired(schema)); err != nil {
		return nil, err
	}
	return compiler.Compile("settings.json")
}

// withoutRequired takes "required" out of a schema, and alternatives that only say what is
// required.
func withoutRequired(schema any) any {
	switch schema := schema.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(schema)) {
			if _, isList := schema[key].([]any); key == "required" && isList {
				continue
			}
			if value := withoutRequired(schema[key]); !(key == "oneOf" || key == "anyOf" || key == "allOf") || !saysNothing(value) {
				out[key] = value
			}
		}
		return out
	case []any:
		out := make([]any, len(schema))
		for i := range schema {
			out[i] = withoutRequired(schema[i])
		}
		return out
	}
	return schema
}

func saysNothing(alternatives any) bool {
	return slices.ContainsFunc(asList(alternatives), func(one any) bool { return len(one.(map[string]any)) == 0 })
}
