package collection

// Kept returns the first of a chunk's places that must stay, with all later ones. The chunk was
// copied from each of count places to the next. A place need not stay if the copy from it is old
// (young returns false) and nobody is about to delete the place that it was copied to (avoided
// returns false). The last place always stays. So whoever has seen the chunk at one of its places
// finds it at one that stays.
func Kept(count int, young, avoided func(i int) bool) (first int) {
	first = count - 1
	for first > 0 && (young(first-1) || avoided(first)) {
		first--
	}
	return first
}
