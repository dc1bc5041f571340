package page

import (
	"encoding/json"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
)

// storageNow is what the JSON says of the storage.
func (w *world) storageNow() (s storage) {
	w.t.Helper()
	answer := w.get(apiPrefix + "storage")
	if err := json.Unmarshal(answer.Body.Bytes(), &s); err != nil {
		w.t.Fatalf("%v: %s", err, answer.Body)
	}
	return s
}

// settled waits until nothing is measured.
func (w *world) settled() storage {
	w.t.Helper()
	for {
		if s := w.storageNow(); !s.Measuring {
			return s
		}
		runtime.Gosched()
	}
}

// measure is what the button does.
func (w *world) measure() {
	w.t.Helper()
	r := w.request(http.MethodPost, "/storage/measure", url.Values{})
	r.Header.Set("Origin", "http://localhost")
	if answer := w.do(r); answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != "/storage" {
		w.t.Fatalf("%d to %q: %s", answer.Code, answer.Header().Get("Location"), answer.Body)
	}
}

func TestWhatSetsTakeIsMeasuredInTheBackground(t *testing.T) {
	w := newWorld(t, trusted)
	w.shows("/storage", "Measure what each set stores")
	w.weighing <- struct{}{} // somebody else measures, so that ours has to wait
	w.measure()
	w.measure() // changes nothing
	w.shows("/storage", "measuring", `data-live="2"`, `class="button quiet reload" href="/storage"`)
	if body := w.get("/storage").Body.String(); strings.Contains(body, "Measure what") {
		t.Error("what is being measured is offered")
	}
	w.shows("/", "platform") // no page waits
	<-w.weighing
	s := w.settled()
	if !s.Measured || s.Failed != "" || len(s.Sets) != 1 || s.Sets[0].Alone == 0 || s.Sets[0].Added != s.Sets[0].Alone || !s.MeasuredAt.Equal(w.now) {
		t.Errorf("got %+v", s)
	}
	w.shows("/storage", "Needs alone", "Measure again", "That frees")

	folder := w.at("/browse", "")
	w.take("another", newGrowing(3))
	w.now = w.now.Add(stale)
	w.shows(folder, "notes/<")
	if s := w.storageNow(); len(s.Sets) != 2 || !s.Measured || s.Sets[0].Measured == s.Sets[1].Measured {
		t.Errorf("a set that came since then: %+v", s)
	}
}

func TestWhatCannotBeMeasuredIsSaid(t *testing.T) {
	w := newWorld(t, trusted)
	m := &w.shelf(nil, "", true).measured
	m.is.err = errMeasureTime
	w.shows("/storage", "Not measured: it took more than ten minutes; packstone stats takes its time.", "Measure what")
	w.measure() // once more
	if s := w.settled(); !s.Measured || s.Failed != "" {
		t.Errorf("got %+v", s)
	}
}

func TestMeasuringNeedsAnIdentity(t *testing.T) {
	w := newWorld(t, Guard{})
	r := w.request(http.MethodPost, apiPrefix+"storage/measure", url.Values{})
	r.Header.Set("Origin", "http://localhost")
	if answer := w.do(r); answer.Code != http.StatusForbidden || !strings.Contains(answer.Body.String(), "needs an identity") {
		t.Errorf("%d: %s", answer.Code, answer.Body)
	}
	if body := w.get("/storage").Body.String(); strings.Contains(body, "/storage/measure") {
		t.Error("it is offered to who cannot")
	}
}
