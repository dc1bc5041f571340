package local

// System is the kind of a file system.
type System struct {
	Name string // "nfs", "fuse"; "" for a local one
	// Remote: a server or a process answers for it, which may be slow, forget what it handed out,
	// or be gone. Its inode numbers may be made up, another one for the same file after the next
	// mount or even the next look-up.
	Remote bool
}
