package metrics

import (
	"testing"
	"time"
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
