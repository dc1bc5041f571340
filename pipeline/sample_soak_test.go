//go:build soak

package pipeline_test

// positions are the bytes of an object that are flipped: all.
func positions(size int) []int {
	all := make([]int, size)
	for i := range all {
		all[i] = i
	}
	return all
}
