//go:build !soak

package pipeline_test

// positions are the bytes of an object that are flipped: some of each part.
func positions(size int) []int { return []int{0, size / 3, size / 2, size - 1} }
