package sftp

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/packstone/packstone/catalog/entry"
)

// Attributes are what the server says of a file. Times are in seconds since 1970, in 32 bits.
type Attributes struct {
	Size             uint64
	UID, GID         uint32
	Mode             uint32 // with the bits of the type
	Accessed, Modify uint32
	has              uint32
}

// Named is an entry of a directory.
type Named struct {
	Name string
	Attributes
}

const (
	hasSize     = 0x1
	hasOwner    = 0x2
	hasMode     = 0x4
	hasTimes    = 0x8
	hasExtended = 0x80000000
)

// Types in a mode.
const (
	modeType      = 0o170000
	modeFile      = 0o100000
	modeDirectory = 0o040000
	modeLink      = 0o120000
)

// IsFile reports whether it is a regular file.
func (a *Attributes) IsFile() bool { return a.Mode&modeType == modeFile }

// IsDirectory reports whether it is a directory, not a link to one.
func (a *Attributes) IsDirectory() bool { return a.Mode&modeType == modeDirectory }

var types = map[uint32]entry.Type{
	modeFile: entry.File, modeDirectory: entry.Directory, modeLink: entry.Symlink, 0o010000: entry.Fifo, 0o020000: entry.CharDevice,
	0o060000: entry.BlockDevice, 0o140000: entry.Socket,
}

// Describe sets what the server says of a file in an entry of a source or target. The entry gets no
// type if the server tells none.
func (a *Attributes) Describe(e *entry.Entry) {
	e.Type, e.Mode = types[a.Mode&modeType], a.Mode&0o7777
	e.UID, e.GID = a.UID, a.GID
	e.ModTime = entry.Time{Seconds: int64(a.Modify)}
	e.Known = entry.KnowsMode | entry.KnowsOwner | entry.KnowsModTime
	if e.Type == entry.File {
		e.Size = int64(min(a.Size, 1<<62))
	}
}

func (p *parser) attributes() (a Attributes) {
	a.has = p.number()
	if a.has&hasSize != 0 {
		a.Size = p.long()
	}
	if a.has&hasOwner != 0 {
		a.UID, a.GID = p.number(), p.number()
	}
	if a.has&hasMode != 0 {
		a.Mode = p.number()
	}
	if a.has&hasTimes != 0 {
		a.Accessed, a.Modify = p.number(), p.number()
	}
	if a.has&hasExtended != 0 {
		for n := p.number(); n > 0 && !p.bad(); n-- {
			p.text()
			p.text()
		}
	}
	return a
}

// Change is what SetStat sets.
type Change struct {
	Attributes
	of *[2]uint32 // user and group without which it is not made
}

// ErrOtherOwner refuses a change that is OnlyOf another owner.
var ErrOtherOwner = errors.New("it belongs to another user or group")

// OnlyOf has the change refused with ErrOtherOwner unless what is changed belongs to this user and
// this group, after the changes before it. Dress and Writer.Close heed that.
func (c *Change) OnlyOf(uid, gid uint32) { c.of = &[2]uint32{uid, gid} }

// SetOwner sets the owner too.
func (c *Change) SetOwner(uid, gid uint32) { c.UID, c.GID, c.has = uid, gid, c.has|hasOwner }

// SetMode sets the permissions too.
func (c *Change) SetMode(mode uint32) { c.Mode, c.has = mode&0o7777, c.has|hasMode }

// SetTime sets the time of the last change too, and that of the last access to the same.
func (c *Change) SetTime(t time.Time) {
	c.Modify = uint32(t.Unix())
	c.Accessed, c.has = c.Modify, c.has|hasTimes
}

// SetSize sets the size too.
func (c *Change) SetSize(n uint64) { c.Size, c.has = n, c.has|hasSize }

func (c *Change) appendTo(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, c.has)
	if c.has&hasSize != 0 {
		b = binary.BigEndian.AppendUint64(b, c.Size)
	}
	if c.has&hasOwner != 0 {
		b = appendNumbers(b, c.UID, c.GID)
	}
	if c.has&hasMode != 0 {
		b = appendNumbers(b, c.Mode)
	}
	if c.has&hasTimes != 0 {
		b = appendNumbers(b, c.Accessed, c.Modify)
	}
	return b
}

func appendNumbers(b []byte, numbers ...uint32) []byte {
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// texts encodes strings as in packets, one after the other.
func texts(all ...string) []byte {
	var b []byte
	for _, s := range all {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	return b
}

// Has reports whether the server supports an extension.
func (s *session) Has(extension string) bool { _, ok := s.extensions[extension]; return ok }

func (c *call) attributes(ctx context.Context) (Attributes, error) {
	p, err := c.expect(ctx, packetAttrs)
	if err != nil {
		return Attributes{}, err
	}
	a := p.attributes()
	if p.bad() {
		return a, errPacket
	}
	return a, nil
}

// Stat returns the attributes of a path. It follows links.
func (s *session) Stat(ctx context.Context, path string) (Attributes, error) {
	return s.send(packetStat, texts(path), nil, nil).attributes(ctx)
}

// Lstat returns the attributes of a path. It does not follow links.
func (s *session) Lstat(ctx context.Context, path string) (Attributes, error) {
	return s.send(packetLstat, texts(path), nil, nil).attributes(ctx)
}

// RealPath makes a path absolute.
func (s *session) RealPath(ctx context.Context, path string) (string, error) {
	return s.send(packetRealpath, texts(path), nil, nil).name(ctx)
}

// ReadLink returns the target of a link.
func (s *session) ReadLink(ctx context.Context, path string) (string, error) {
	return s.send(packetReadlink, texts(path), nil, nil).name(ctx)
}

// name waits for an answer that contains one name.
func (c *call) name(ctx context.Context) (string, error) {
	p, err := c.expect(ctx, packetName)
	if err != nil {
		return "", err
	}
	n := p.number()
	name := p.text()
	if n != 1 || p.bad() {
		return "", errPacket
	}
	return name, nil
}

// Mkdir makes a directory. The server's umask may remove permissions.
func (s *session) Mkdir(ctx context.Context, path string, mode uint32) error {
	var attributes Change
	attributes.SetMode(mode)
	return s.send(packetMkdir, attributes.appendTo(texts(path)), nil, nil).status(ctx)
}

// Remove removes anything but a directory.
func (s *session) Remove(ctx context.Context, path string) error {
	return s.send(packetRemove, texts(path), nil, nil).status(ctx)
}

// RemoveDirectory removes an empty directory.
func (s *session) RemoveDirectory(ctx context.Context, path string) error {
	return s.send(packetRmdir, texts(path), nil, nil).status(ctx)
}

// Symlink makes path a link to target.
func (s *session) Symlink(ctx context.Context, target, path string) error {
	return s.send(packetSymlink, texts(target, path), nil, nil).status(ctx) // in OpenSSH's order, which all have
}

// SetStat sets attributes of a path. It follows links.
func (s *session) SetStat(ctx context.Context, path string, change Change) error {
	return s.send(packetSetstat, change.appendTo(texts(path)), nil, nil).status(ctx)
}

// LSetStat sets attributes of a path. It does not follow links. It fails with ErrUnsupported if the
// server does not have lsetstat@openssh.com.
func (s *session) LSetStat(ctx context.Context, path string, change Change) error {
	if !s.Has(extensionLSetStat) {
		return ErrUnsupported
	}
	return s.send(packetExtended, change.appendTo(texts(extensionLSetStat, path)), nil, nil).status(ctx)
}

// Extensions of OpenSSH.
const (
	extensionLSetStat = "lsetstat@openssh.com"
	extensionRename   = "posix-rename@openssh.com"
	extensionSync     = "fsync@openssh.com"
	extensionStatVFS  = "statvfs@openssh.com"
)

// Rename renames from to to, and replaces an existing file. Without posix-rename it removes that
// first.
func (s *session) Rename(ctx context.Context, from, to string) error {
	if s.Has(extensionRename) {
		return s.send(packetExtended, texts(extensionRename, from, to), nil, nil).status(ctx)
	}
	err := s.send(packetRename, texts(from, to), nil, nil).status(ctx)
	if err == nil || IsBroken(err) {
		return err
	}
	if removed := s.Remove(ctx, to); removed != nil {
		return err
	}
	return s.send(packetRename, texts(from, to), nil, nil).status(ctx)
}

// Free returns for how many bytes and files the file system of path has room. It fails with
// ErrUnsupported if the server does not tell.
func (s *session) Free(ctx context.Context, path string) (bytes, files uint64, err error) {
	if !s.Has(extensionStatVFS) {
		return 0, 0, ErrUnsupported
	}
	p, err := s.send(packetExtended, texts(extensionStatVFS, path), nil, nil).expect(ctx, packetReply)
	if err != nil {
		return 0, 0, err
	}
	_, unit, _, _, available, all, _, left := p.long(), p.long(), p.long(), p.long(), p.long(), p.long(), p.long(), p.long()
	if p.bad() {
		return 0, 0, errPacket
	}
	if all == 0 { // it does not count files
		left = 1
	}
	return available * unit, left, nil
}

// handle waits for the handle of what was opened.
func (c *call) handle(ctx context.Context) ([]byte, error) {
	p, err := c.expect(ctx, packetHandle)
	if err != nil {
		return nil, err
	}
	handle := p.take(p.number())
	if p.bad() {
		return nil, errPacket
	}
	return texts(string(handle)), nil
}

// How many READDIRs are sent before the first is answered: at first enough for two hundred names
// and the end after them, then more and more.
const (
	firstAhead = 3
	mostAhead  = 16
)

// ReadDir lists a directory, without "." and "..". It sends more and more requests at once.
func (s *session) ReadDir(ctx context.Context, path string) ([]Named, error) {
	handle, err := s.send(packetOpendir, texts(path), nil, nil).handle(ctx)
	if err != nil {
		return nil, err
	}
	defer s.send(packetClose, handle, nil, nil)
	var all []Named
	for ahead := firstAhead; ; ahead = min(2*ahead, mostAhead) {
		calls := make([]*call, ahead)
		for i := range calls {
			calls[i] = s.send(packetReaddir, handle, nil, nil)
		}
		for _, c := range calls {
			if all, err = c.names(ctx, all); isEnd(err) {
				return all, nil
			} else if err != nil {
				return nil, err
			}
		}
	}
}

// names appends the names in an answer to READDIR.
func (c *call) names(ctx context.Context, all []Named) ([]Named, error) {
	p, err := c.expect(ctx, packetName)
	if err != nil {
		return all, err
	}
	for n := p.number(); n > 0; n-- {
		name := p.text()
		p.text() // the line that ls would print
		found := Named{name, p.attributes()}
		if p.bad() {
			return all, errPacket
		}
		if name != "." && name != ".." {
			all = append(all, found)
		}
	}
	return all, nil
}

// Dress sets attributes of a directory or a file in one round trip. With look, it first checks what
// path is, and fails with ErrUnsupported for anything else. refused holds, for each change, the
// server's error, or nil.
func (s *session) Dress(ctx context.Context, path string, look bool, changes ...Change) (refused []error, err error) {
	if look {
		is, err := s.Lstat(ctx, path)
		if err != nil {
			return nil, err
		}
		if !is.IsDirectory() && !is.IsFile() {
			return nil, ErrUnsupported
		}
	}
	answers, err := s.ask(ctx, changes,
		func(change Change) *call { return s.send(packetSetstat, change.appendTo(texts(path)), nil, nil) },
		func() *call { return s.send(packetLstat, texts(path), nil, nil) })
	if err != nil {
		return nil, err
	}
	return refusals(ctx, answers)
}

// asked is a change that the server was asked for; or why it was not.
type asked struct {
	call *call
	err  error
}

// ask sends changes, all at once but for those that are for one owner only: they wait until look has
// told who that is.
func (s *session) ask(ctx context.Context, changes []Change, send func(Change) *call, look func() *call) ([]asked, error) {
	answers := make([]asked, len(changes))
	for i, change := range changes {
		if change.of != nil {
			is, err := look().attributes(ctx)
			if IsBroken(err) {
				return nil, err
			}
			if err == nil && (is.has&hasOwner == 0 || [2]uint32{is.UID, is.GID} != *change.of) {
				err = ErrOtherOwner
			}
			answers[i].err = err
		}
		if answers[i].err == nil {
			answers[i].call = send(change)
		}
	}
	return answers, nil
}

// refusals waits for answers, and returns for each change why it was not made.
func refusals(ctx context.Context, answers []asked) (refused []error, err error) {
	for _, a := range answers {
		if a.call != nil {
			a.err = a.call.status(ctx)
		}
		if IsBroken(a.err) {
			return nil, a.err
		}
		refused = append(refused, a.err)
	}
	return refused, nil
}
