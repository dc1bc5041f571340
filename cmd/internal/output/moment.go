package output

import (
	"fmt"
	"time"

	"github.com/packstone/packstone/cmd/internal/jsonschema"
)

// Moment is a time of any year in JSON: in RFC 3339, or with a sign and more digits if the year
// does not fit that.
type Moment time.Time

// MarshalJSON implements json.Marshaler.
func (m Moment) MarshalJSON() ([]byte, error) {
	t := time.Time(m)
	if year := t.Year(); year < 0 || year > 9999 {
		return fmt.Appendf(nil, "\"%+06d%s\"", year, t.Format("-01-02T15:04:05.999999999Z07:00")), nil
	}
	return t.MarshalJSON()
}

// JSONSchema implements jsonschema.Describer.
func (Moment) JSONSchema() jsonschema.Schema {
	return jsonschema.Schema{"type": "string", "format": "date-time"}
}
