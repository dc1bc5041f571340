package catalog

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// unknown holds the keys of a JSON object that this version does not know. A change signs them
// again unchanged.
type unknown map[string]json.RawMessage

// decodeKeeping reads a JSON object into v, a pointer to a struct, and returns the keys that v has
// no field for.
func decodeKeeping(data []byte, v any) (unknown, error) {
	if err := json.Unmarshal(data, v); err != nil {
		return nil, err
	}
	var all unknown
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	t := reflect.TypeOf(v).Elem()
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		delete(all, key)
	}
	return all, nil
}

// encodeKeeping encodes the struct v, followed by the keys in rest, in order.
func encodeKeeping(v any, rest unknown) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil || len(rest) == 0 {
		return body, err
	}
	body = body[:len(body)-1]
	for _, key := range slices.Sorted(maps.Keys(rest)) {
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = append(append(append(body, name...), ':'), rest[key]...)
	}
	return append(body, '}'), nil
}

// The fields of these types, without their methods.
type (
	configFields  Config
	memberFields  Member
	bindingFields Binding
	domainFields  Domain
)

// MarshalJSON implements json.Marshaler.
func (c Config) MarshalJSON() ([]byte, error) { return encodeKeeping(configFields(c), c.unknown) }

// UnmarshalJSON implements json.Unmarshaler.
func (c *Config) UnmarshalJSON(data []byte) (err error) {
	c.unknown, err = decodeKeeping(data, (*configFields)(c))
	return err
}

// MarshalJSON implements json.Marshaler.
func (m Member) MarshalJSON() ([]byte, error) { return encodeKeeping(memberFields(m), m.unknown) }

// UnmarshalJSON implements json.Unmarshaler.
func (m *Member) UnmarshalJSON(data []byte) (err error) {
	m.unknown, err = decodeKeeping(data, (*memberFields)(m))
	return err
}

// MarshalJSON implements json.Marshaler.
func (b Binding) MarshalJSON() ([]byte, error) { return encodeKeeping(bindingFields(b), b.unknown) }

// UnmarshalJSON implements json.Unmarshaler.
func (b *Binding) UnmarshalJSON(data []byte) (err error) {
	b.unknown, err = decodeKeeping(data, (*bindingFields)(b))
	return err
}

// MarshalJSON implements json.Marshaler.
func (d Domain) MarshalJSON() ([]byte, error) { return encodeKeeping(domainFields(d), d.unknown) }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Domain) UnmarshalJSON(data []byte) (err error) {
	d.unknown, err = decodeKeeping(data, (*domainFields)(d))
	return err
}
