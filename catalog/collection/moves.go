package collection

// Kept is which places of a chunk must stay that was copied from one to the next: those from the
// returned one on. count is how many there are; a place is left when the copy was made long ago
// (young says that of the copy from a place it was not), and nobody is about to delete what it was
// copied to (avoided). The last place always stays. So whoever has seen the chunk at any of its
// places finds it at one that stays.
func Kept(count int, young, avoided func(i int) bool) (first int) {
	first = count - 1
	for first > 0 && (young(first-1) || avoided(first)) {
		first--
	}
	return first
}
