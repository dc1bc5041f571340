package page

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/browse"
)

// TestAComparisonOfMuchShowsTheFirstChangesAtOnce counts the others when it is asked to.
func TestAComparisonOfMuchShowsTheFirstChangesAtOnce(t *testing.T) {
	defer func(before time.Duration) { countTime = before }(countTime)
	countTime = -1
	w := newBareWorld(t, trusted)
	w.write("first", "")
	w.backup()
	for i := range changesShown + 50 {
		w.write(fmt.Sprintf("folder/%04d", i), "x")
	}
	w.backup()
	both := "?before=" + w.ids[0] + "&after=" + w.ids[1]
	for _, c := range []struct {
		more    string
		counted bool
		most    int
	}{{"", false, changesShown}, {"&all=yes", true, changesShown + 51}} {
		var got struct {
			Counts  map[browse.Kind]int `json:"counts"`
			Changes []json.RawMessage   `json:"changes"`
			Counted bool                `json:"counted"`
		}
		if err := json.Unmarshal(w.get(apiPrefix+"compare"+both+c.more).Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Changes) != changesShown || got.Counted != c.counted || got.Counts[browse.Added] != c.most {
			t.Errorf("%s: %d changes are shown and %v counted, all of them: %v", c.more, len(got.Changes), got.Counts, got.Counted)
		}
		if body := w.get("/compare" + both + c.more).Body.String(); strings.Contains(body, "Count all") == c.counted {
			t.Errorf("%s: the page offers to count all: %v", c.more, !c.counted)
		}
	}
}
