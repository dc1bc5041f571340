package metrics

import "time"

// Size is the size of a repository at a moment.
type Size struct {
	At    time.Time `json:"at"`
	Packs int64     `json:"packs"`
	Bytes int64     `json:"bytes"`
}

// The interval of stored sizes, and how long they are kept.
const (
	sizesApart = 6 * time.Hour
	sizesFor   = 8 * 24 * time.Hour
)

// AddSize appends a size to sizes, which are sorted by time. It removes some sizes between others,
// and those too old for GrowthOf.
func AddSize(sizes []Size, next Size) []Size {
	var kept []Size
	for i, s := range sizes {
		old := next.At.Sub(s.At) > sizesFor
		if !old && (len(kept) == 0 || s.At.Sub(kept[len(kept)-1].At) >= sizesApart || i == len(sizes)-1 && next.At.Sub(kept[len(kept)-1].At) >= sizesApart) {
			kept = append(kept, s)
		}
	}
	return append(kept, next)
}

// GrowthOf returns by how many bytes a day a repository grows, or shrinks. sizes are sorted by
// time; known is false if they cover less than a day.
func GrowthOf(sizes []Size) (bytesPerDay int64, known bool) {
	if len(sizes) < 2 {
		return 0, false
	}
	first, last := sizes[0], sizes[len(sizes)-1]
	days := last.At.Sub(first.At).Hours() / 24
	if days < 1 {
		return 0, false
	}
	return int64(float64(last.Bytes-first.Bytes) / days), true
}
