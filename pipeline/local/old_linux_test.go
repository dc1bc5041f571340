package local

// pretendOld makes the package do without the calls of new kernels until the function that it
// returns is called.
func pretendOld() func() {
	openat2, xattrs := noOpenat2.Load(), noXattrAt.Load()
	noOpenat2.Store(true)
	noXattrAt.Store(true)
	return func() {
		noOpenat2.Store(openat2)
		noXattrAt.Store(xattrs)
	}
}
