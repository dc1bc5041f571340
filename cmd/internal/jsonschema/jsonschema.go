// Package jsonschema describes Go types as JSON Schema (draft 2020-12), so that the schema of a
// message or of the settings file can't fall behind the code that reads or writes it.
//
// Fields are named by their json or yaml tag and described by their doc tag. A field is required
// unless its tag says omitempty or omitzero.
package jsonschema

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Schema is a schema as a JSON value.
type Schema = map[string]any

// Describer is a type that describes itself.
type Describer interface{ JSONSchema() Schema }

var (
	describer     = reflect.TypeFor[Describer]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	moment        = reflect.TypeFor[time.Time]()
)

// Of describes a type by the field tags of the given name, json or yaml. It panics on a type that
// has no JSON form (a channel or a function), which is a mistake in the program.
func Of(t reflect.Type, tag string) Schema {
	if t.Kind() != reflect.Interface && t.Implements(describer) {
		return reflect.Zero(t).Interface().(Describer).JSONSchema()
	}
	if t == moment {
		return Schema{"type": "string", "format": "date-time"}
	}
	if t.Implements(textMarshaler) {
		return Schema{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return Of(t.Elem(), tag)
	case reflect.Slice, reflect.Array:
		return Schema{"type": "array", "items": Of(t.Elem(), tag)}
	case reflect.Map:
		return Schema{"type": "object", "additionalProperties": Of(t.Elem(), tag)}
	case reflect.Struct:
		return object(t, tag)
	case reflect.Interface:
		return Schema{}
	}
	return Schema{"type": scalar(t)}
}

func scalar(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "integer"
	}
	panic(fmt.Sprintf("jsonschema: %s has no JSON form", t))
}

// object describes a struct. Fields that are not listed are not allowed, so that a new field shows
// in the schema.
func object(t reflect.Type, tag string) Schema {
	properties, required := Schema{}, []string{}
	for _, field := range reflect.VisibleFields(t) {
		name, optional := Name(field, tag)
		if name == "" {
			continue
		}
		property := Of(field.Type, tag)
		if doc := field.Tag.Get("doc"); doc != "" {
			property["description"] = doc
		}
		properties[name] = property
		if !optional {
			required = append(required, name)
		}
	}
	s := Schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// Name is a field's name by its tag, empty if it has none, and whether it may be absent.
func Name(field reflect.StructField, tag string) (name string, optional bool) {
	name, options, _ := strings.Cut(field.Tag.Get(tag), ",")
	if name == "-" || !field.IsExported() {
		return "", false
	}
	return name, strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
}
