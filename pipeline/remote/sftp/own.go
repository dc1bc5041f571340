package sftp

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// ownChannel is a second SFTP session of a connection, for a request that github.com/pkg/sftp does not send: attributes of a
// symbolic link itself. All that it sends would follow the link, and change what it leads to.
type ownChannel struct {
	mu      sync.Mutex
	session *ssh.Session
	in      io.WriteCloser
	out     io.Reader
	id      uint32
}

const (
	packetInit     = 1
	packetVersion  = 2
	packetStatus   = 101
	packetExtended = 200

	attrOwner = 0x2
	attrTimes = 0x8

	maxReply = 256 << 10
)

// LSetStat sets owner and time of path itself, be it a symbolic link; owner is left if uid is negative. ErrUnsupported: the server has
// no lsetstat@openssh.com.
func (c *Conn) LSetStat(path string, uid, gid int64, modified time.Time) error {
	if _, ok := c.HasExtension("lsetstat@openssh.com"); !ok {
		return ErrUnsupported
	}
	c.own.mu.Lock()
	defer c.own.mu.Unlock()
	if err := c.own.open(c.ssh); err != nil {
		return err
	}
	c.own.id++
	b := []byte{packetExtended}
	b = binary.BigEndian.AppendUint32(b, c.own.id)
	b = appendString(b, "lsetstat@openssh.com")
	b = appendString(b, path)
	b = appendAttributes(b, uid, gid, modified)
	return c.own.exchange(b)
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func appendAttributes(b []byte, uid, gid int64, modified time.Time) []byte {
	var flags uint32
	if uid >= 0 {
		flags |= attrOwner
	}
	if !modified.IsZero() {
		flags |= attrTimes
	}
	b = binary.BigEndian.AppendUint32(b, flags)
	if uid >= 0 {
		b = binary.BigEndian.AppendUint32(b, uint32(uid))
		b = binary.BigEndian.AppendUint32(b, uint32(gid))
	}
	if modified.IsZero() {
		return b
	}
	b = binary.BigEndian.AppendUint32(b, uint32(modified.Unix())) // of access
	return binary.BigEndian.AppendUint32(b, uint32(modified.Unix()))
}

// open begins the session with version 3.
func (o *ownChannel) open(client *ssh.Client) error {
	if o.session != nil {
		return nil
	}
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	if o.in, err = session.StdinPipe(); err == nil {
		o.out, err = session.StdoutPipe()
	}
	if err == nil {
		err = session.RequestSubsystem("sftp")
	}
	if err == nil {
		err = o.send([]byte{packetInit, 0, 0, 0, 3})
	}
	if err != nil {
		session.Close()
		return err
	}
	kind, _, err := o.receive()
	if err == nil && kind != packetVersion {
		err = fmt.Errorf("SFTP session begins with packet %d", kind)
	}
	if err != nil {
		session.Close()
		return err
	}
	o.session = session
	return nil
}

func (o *ownChannel) send(packet []byte) error {
	_, err := o.in.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(packet))), packet...))
	return err
}

func (o *ownChannel) receive() (byte, []byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(o.out, length[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n < 1 || n > maxReply {
		return 0, nil, fmt.Errorf("SFTP packet of %d bytes", n)
	}
	packet := make([]byte, n)
	if _, err := io.ReadFull(o.out, packet); err != nil {
		return 0, nil, err
	}
	return packet[0], packet[1:], nil
}

// exchange sends a request and reads its status.
func (o *ownChannel) exchange(packet []byte) error {
	if err := o.send(packet); err != nil {
		return err
	}
	kind, reply, err := o.receive()
	if err != nil {
		return err
	}
	return parseStatus(kind, reply, o.id)
}

// parseStatus reads an answer of type status; nil if it says that all is well.
func parseStatus(kind byte, reply []byte, id uint32) error {
	if kind != packetStatus || len(reply) < 8 || binary.BigEndian.Uint32(reply) != id {
		return fmt.Errorf("the server gave no answer to the request")
	}
	if code := binary.BigEndian.Uint32(reply[4:]); code != 0 {
		return fmt.Errorf("the server answered with code %d", code)
	}
	return nil
}
