package metrics

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
)

func TestGrowthIsThatOfTheLastWeek(t *testing.T) {
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var sizes []Size
	for hour := range 30 * 24 { // 100 bytes a day, and 1000 on the last ten
		grown := int64(hour) * 100 / 24
		if hour > 20*24 {
			grown = 2000 + int64(hour-20*24)*1000/24
		}
		sizes = AddSize(sizes, Size{At: start.Add(time.Duration(hour) * time.Hour), Packs: 1, Bytes: 5000 + grown})
		growth, known := GrowthOf(sizes)
		switch {
		case hour < 24 && known, hour > 24 && !known:
			t.Fatalf("hour %d: known is %v", hour, known)
		case hour == 10*24 && (growth < 95 || growth > 105), hour == 29*24 && (growth < 990 || growth > 1010):
			t.Errorf("hour %d: grows by %d", hour, growth)
		}
	}
	if len(sizes) > 40 {
		t.Errorf("%d sizes are remembered", len(sizes))
	}
	if sizes[len(sizes)-1].At != start.Add((30*24-1)*time.Hour) {
		t.Error("the last size is not the newest")
	}
}

func TestSizesOutliveTheProcessAndCountForAnHour(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "sizes.json"), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	sizes, err := OpenSizes(path)
	if err != nil || sizes.Known("offsite", now) {
		t.Fatalf("without a file: %v, known is %v", err, sizes.Known("offsite", now))
	}
	if err := sizes.Add("offsite", Size{At: now, Packs: 2, Bytes: 7}); err != nil {
		t.Fatal(err)
	}
	if sizes, err = OpenSizes(path); err != nil {
		t.Fatal(err)
	}
	if got := sizes.Of("offsite"); len(got) != 1 || got[0].Bytes != 7 {
		t.Errorf("read %+v", got)
	}
	if !sizes.Known("offsite", now.Add(time.Hour-1)) || sizes.Known("offsite", now.Add(time.Hour)) || sizes.Known("", now) {
		t.Error("a size counts as known for an hour, and of its own repository")
	}
}

func TestADamagedFileOfSizesIsReplacedByTheNextSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sizes.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	sizes, err := OpenSizes(path)
	if err == nil {
		t.Error("a damaged file is no error")
	}
	if err := sizes.Add("", Size{Bytes: 1}); err != nil {
		t.Fatal(err)
	}
	if sizes, err = OpenSizes(path); err != nil || len(sizes.Of("")) != 1 {
		t.Errorf("read %v, %v", sizes.Of(""), err)
	}
}

func TestDrillsOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drills.json")
	drills, err := OpenDrills(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := drills.Add("platform", Drilled{RPO: time.Hour, RTO: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if drills, err = OpenDrills(path); err != nil {
		t.Fatal(err)
	}
	known, other := health.Set{Name: "platform"}, health.Set{Name: "other"}
	drills.Fill(&known)
	drills.Fill(&other)
	if known.DrillRPO != time.Hour || known.DrillRTO != time.Minute || other.DrillRTO != 0 {
		t.Errorf("got %v and %v, and %v of a set that was never drilled", known.DrillRPO, known.DrillRTO, other.DrillRTO)
	}
}
