package message

import (
	"fmt"

	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/cmd/internal/output"
)

// Requests is what was asked of the storage, in a line.
func Requests(t count.Totals) string {
	return fmt.Sprintf("storage: %s, %s up and %s down; %d of them in sequence, %.1f in flight on average, %d at most; %s",
		output.Plural(t.Calls(), "request"), output.Bytes(t.Put.Bytes), output.Bytes(t.Get.Bytes), t.RoundTrips, t.MeanInFlight, t.MostInFlight, output.Plural(t.Retries, "retry"))
}
