package config

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/packstone/packstone/cmd/internal/jsonschema"
)

// Absent are the files that the settings name and that cannot be read on this machine, in the order
// of the settings' names.
func (c *Config) Absent() (all Problems) {
	c.eachFile("", reflect.ValueOf(*c), func(setting, path string) {
		if why := whyUnreadable(path); why != "" {
			all = append(all, c.ProblemAt(setting, "%s %s", path, why))
		}
	})
	return all
}

// whyUnreadable says why a file cannot be read, "" if it can. A pipe is not opened: whoever writes
// there may not be there yet.
func whyUnreadable(path string) string {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "is not there"
	case err == nil && info.IsDir():
		return "is a directory, not a file"
	case err == nil && !info.Mode().IsRegular():
		return ""
	}
	if err == nil {
		var file *os.File
		if file, err = os.Open(path); err == nil {
			file.Close()
			return ""
		}
	}
	if cause := errors.Unwrap(err); cause != nil {
		err = cause
	}
	return "cannot be read by this user: " + err.Error()
}

// eachFile calls found with each setting below path that names a file to read.
func (c *Config) eachFile(path string, in reflect.Value, found func(setting, file string)) {
	switch in.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !in.IsNil() {
			c.eachFile(path, in.Elem(), found)
		}
	case reflect.Struct:
		c.eachFileOf(path, in, found)
	case reflect.Map:
		keys := map[string]reflect.Value{}
		for _, key := range in.MapKeys() {
			keys[key.String()] = in.MapIndex(key)
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			c.eachFile(join(path, key), keys[key], found)
		}
	case reflect.Slice:
		for i := range in.Len() {
			c.eachFile(path, in.Index(i), found)
		}
	}
}

// eachFileOf is eachFile for the settings of a struct.
func (c *Config) eachFileOf(path string, in reflect.Value, found func(setting, file string)) {
	if source, ok := in.Interface().(Source); ok {
		c.eachFile(path, reflect.ValueOf(source.Settings), found)
		return
	}
	for _, field := range reflect.VisibleFields(in.Type()) {
		name, _ := jsonschema.Name(field, "yaml")
		if name == "" {
			continue
		}
		value := in.FieldByIndex(field.Index)
		switch setting := join(path, name); {
		case value.Kind() != reflect.String:
			c.eachFile(setting, value, found)
		case value.String() != "" && namesFile(name):
			found(setting, value.String())
		}
	}
}

// namesFile reports whether a setting of this name is a file to read.
func namesFile(name string) bool {
	return strings.HasSuffix(name, "_file") || name == "known_hosts" || name == "template"
}
