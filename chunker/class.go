package chunker

import "fmt"

// Class is a chunk size class. Sizes are in bytes. A fixed class cuts every Average bytes, whatever
// the content; its Min and Max equal Average.
type Class struct {
	Name    string
	Min     int
	Average int
	Max     int
	Fixed   bool
}

// The classes of format version 1. They never change: a repository names its classes, and data cut
// in another way would be stored a second time.
var (
	// Small is for dumps and table streams in the order of the primary key.
	Small = Class{Name: "small", Min: 32 << 10, Average: 64 << 10, Max: 256 << 10}
	// Pages is for SQLite files and disk images. Scattered page writes change nearly every
	// content-defined chunk, but only the pages that they touch.
	Pages = Class{Name: "pages", Min: 16 << 10, Average: 16 << 10, Max: 16 << 10, Fixed: true}
	// Medium is for files and settings.
	Medium = Class{Name: "medium", Min: 128 << 10, Average: 256 << 10, Max: 1 << 20}
	// Large is for lakes.
	Large = Class{Name: "large", Min: 512 << 10, Average: 1 << 20, Max: 4 << 20}
)

// Classes returns the classes of format version 1, smallest average first.
func Classes() []Class { return []Class{Pages, Small, Medium, Large} }

// The sizes that a class may have. Below 1 KiB the window would be a noticeable part of a chunk;
// above 1 GiB a chunk would need too large a buffer.
const (
	smallestAverage = 1 << 10
	largestMax      = 1 << 30
)

// Check returns an error unless New accepts the class.
func (c Class) Check() error {
	if c.Average < smallestAverage || c.Max > largestMax {
		return fmt.Errorf("chunk class %q: average %d and max %d bytes are not within %d and %d",
			c.Name, c.Average, c.Max, smallestAverage, largestMax)
	}
	if c.Fixed && (c.Min != c.Average || c.Max != c.Average) {
		return fmt.Errorf("chunk class %q: fixed, but min %d, average %d, max %d bytes differ",
			c.Name, c.Min, c.Average, c.Max)
	}
	if !c.Fixed && (c.Min < window || c.Average-c.Min < smallestAverage/2 || c.Max <= c.Average) {
		return fmt.Errorf("chunk class %q: need %d ≤ min < average < max, got min %d, average %d, max %d bytes",
			c.Name, window, c.Min, c.Average, c.Max)
	}
	return nil
}
