package database

import "slices"

// HasNative tells whether some objects are made by statements of their own and by nothing else:
// views, functions, triggers and the like.
func (s *Schema) HasNative() bool { return slices.ContainsFunc(s.Objects, (*Object).onlyNative) }

func (o *Object) onlyNative() bool {
	switch o.Kind {
	case "schema", "table", "default", "primary key", "unique", "foreign key", "check", "index", "sequence":
		return false
	}
	return len(o.DDL) > 0
}
