package entry

var typeLetters = map[Type]byte{
	File: '-', Directory: 'd', Symlink: 'l', Fifo: 'p', CharDevice: 'c', BlockDevice: 'b', Socket: 's',
}

// Permissions returns type and mode as ls -l prints them.
func (e *Entry) Permissions() string {
	text := []byte("?rwxrwxrwx")
	if letter, ok := typeLetters[e.Type]; ok {
		text[0] = letter
	}
	for i := range 9 {
		if e.Mode&(1<<(8-i)) == 0 {
			text[1+i] = '-'
		}
	}
	for i, special := range []byte("sst") { // set-user-id, set-group-id, sticky: at the x of user, group and others
		if e.Mode&(0o4000>>i) == 0 {
			continue
		}
		at := 3 + 3*i
		if text[at] == '-' {
			special -= 'a' - 'A'
		}
		text[at] = special
	}
	return string(text)
}
