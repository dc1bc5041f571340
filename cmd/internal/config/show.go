package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/packstone/packstone/cmd/internal/jsonschema"
)

const redacted = "xxxxx"

// Redact returns a lookup that hides the values of variables whose names suggest a secret, for
// showing a file.
func Redact(lookup Lookup) Lookup {
	return func(name string) (string, bool) {
		value, ok := lookup(name)
		if ok && secretName.MatchString(name) {
			return redacted, true
		}
		return value, ok
	}
}

var (
	secretName = regexp.MustCompile(`(?i)(pass|pw|secret|token|credential|private|auth|key)`)
	// secretPart is a password in a URL, as part of its host or as a parameter.
	secretPart = regexp.MustCompile(`(://[^/\s:@]*:)[^/\s]*(@)|((?i:[?&;]password=))[^&;\s]*`)
)

// YAML returns the settings as YAML, with the passwords in URLs hidden.
func (c *Config) YAML() ([]byte, error) {
	text, err := yaml.MarshalWithOptions(c, yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("write the settings: %w", err)
	}
	return secretPart.ReplaceAll(text, []byte("${1}${3}"+redacted+"${2}")), nil
}

// JSON returns the same as YAML, as JSON.
func (c *Config) JSON() ([]byte, error) {
	text, err := c.YAML()
	if err != nil {
		return nil, err
	}
	text, err = yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("write the settings: %w", err)
	}
	return []byte(strings.TrimSpace(string(text))), nil
}

// Schema returns the JSON Schema of the settings file.
func Schema() jsonschema.Schema {
	s := jsonschema.Of(reflect.TypeFor[Config](), "yaml")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "packstone settings"
	s["properties"].(jsonschema.Schema)["version"].(jsonschema.Schema)["const"] = 1
	return s
}
