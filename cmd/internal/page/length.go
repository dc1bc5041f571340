package page

import (
	"strconv"
	"time"

	"github.com/packstone/packstone/cmd/internal/jsonschema"
)

// length is how long something takes or is ago. As JSON it is a number of seconds.
type length time.Duration

// MarshalJSON implements json.Marshaler.
func (l length) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(l).Seconds(), 'f', -1, 64), nil
}

// JSONSchema implements jsonschema.Describer.
func (length) JSONSchema() jsonschema.Schema { return jsonschema.Schema{"type": "number"} }
