package sftp

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// session is one SFTP session, version 3 (draft-ietf-secsh-filexfer-02). It sends a request at
// once, even if others wait for answers; the server handles requests for one file in the order in
// which they arrive. It is safe for concurrent use.
type session struct {
	in         io.WriteCloser
	out        *bufio.Reader
	extensions map[string]string

	sending sync.Mutex // around writes, so that requests are sent in the order of their numbers
	mu      sync.Mutex
	last    uint32
	waiting map[uint32]*call
	ended   error
}

// call is a request that was sent.
type call struct {
	done chan struct{} // closed when it is answered, or will not be
	kind byte
	body []byte
	into []byte // where the data of a READ go
	n    int    // how many there were
	err  error
}

const (
	packetInit     = 1
	packetVersion  = 2
	packetOpen     = 3
	packetClose    = 4
	packetRead     = 5
	packetWrite    = 6
	packetLstat    = 7
	packetFstat    = 8
	packetSetstat  = 9
	packetFsetstat = 10
	packetOpendir  = 11
	packetReaddir  = 12
	packetRemove   = 13
	packetMkdir    = 14
	packetRmdir    = 15
	packetRealpath = 16
	packetStat     = 17
	packetRename   = 18
	packetReadlink = 19
	packetSymlink  = 20
	packetStatus   = 101
	packetHandle   = 102
	packetData     = 103
	packetName     = 104
	packetAttrs    = 105
	packetExtended = 200
	packetReply    = 201

	maxAnswer = 1 << 20 // bytes of a packet from the server
)

// errPacket: the server's answer does not follow the protocol. The session can no longer be used.
var errPacket = fmt.Errorf("the server's answer is no SFTP: %w", io.ErrUnexpectedEOF)

// newSession performs the handshake, and then reads answers until the connection ends.
func newSession(in io.WriteCloser, out io.Reader) (*session, error) {
	s := &session{in: in, out: bufio.NewReaderSize(out, 64<<10), extensions: map[string]string{}, waiting: map[uint32]*call{}}
	if _, err := in.Write([]byte{0, 0, 0, 5, packetInit, 0, 0, 0, 3}); err != nil {
		return nil, err
	}
	kind, body, err := s.packet()
	if err != nil {
		return nil, err
	}
	p := parser{body}
	if version := p.number(); kind != packetVersion || version != 3 {
		return nil, fmt.Errorf("the session begins with packet %d, version %d, not with version 3", kind, version)
	}
	for len(p.left) > 0 && !p.bad() {
		name := p.text()
		s.extensions[name] = p.text()
	}
	go s.receive()
	return s, nil
}

// packet reads a packet.
func (s *session) packet() (kind byte, body []byte, err error) {
	kind, n, err := s.head()
	if err != nil {
		return 0, nil, err
	}
	body = make([]byte, n)
	_, err = io.ReadFull(s.out, body)
	return kind, body, err
}

// head reads the kind of a packet and how many bytes follow.
func (s *session) head() (kind byte, length int, err error) {
	var head [5]byte
	if _, err := io.ReadFull(s.out, head[:]); err != nil {
		return 0, 0, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 5 || n > maxAnswer {
		return 0, 0, fmt.Errorf("%w: a packet of %d bytes", errPacket, n)
	}
	return head[4], int(n) - 1, nil
}

// receive passes answers to those who wait for them, until the connection ends.
func (s *session) receive() {
	err := error(nil)
	for err == nil {
		err = s.answer()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = fmt.Errorf("the connection has ended: %w", err)
	for id, c := range s.waiting {
		delete(s.waiting, id)
		c.err = s.ended
		close(c.done)
	}
}

// answer reads one answer.
func (s *session) answer() error {
	kind, left, err := s.head()
	if err != nil {
		return err
	}
	var number [4]byte
	if _, err := io.ReadFull(s.out, number[:]); err != nil {
		return err
	}
	id := binary.BigEndian.Uint32(number[:])
	s.mu.Lock()
	c := s.waiting[id]
	delete(s.waiting, id)
	s.mu.Unlock()
	if c == nil {
		return fmt.Errorf("%w: an answer to request %d, which was not asked", errPacket, id)
	}
	c.kind = kind
	err = c.read(s.out, left-4)
	c.err = err
	close(c.done)
	return err
}

// read reads the rest of an answer: data directly to their destination, anything else into memory.
func (c *call) read(out io.Reader, left int) error {
	if c.kind != packetData || c.into == nil {
		c.body = make([]byte, left)
		_, err := io.ReadFull(out, c.body)
		return err
	}
	var length [4]byte
	if left < 4 {
		return errPacket
	}
	if _, err := io.ReadFull(out, length[:]); err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint32(length[:]))
	if n > len(c.into) || n > left-4 {
		return fmt.Errorf("%w: %d bytes where %d were asked for", errPacket, n, len(c.into))
	}
	var err error
	if c.n, err = io.ReadFull(out, c.into[:n]); err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, out, int64(left-4-n))
	return err
}

// send sends a request. head follows the request's number, and data follows head.
func (s *session) send(kind byte, head, data, into []byte) *call {
	c := &call{done: make(chan struct{}), into: into}
	s.sending.Lock()
	defer s.sending.Unlock()
	s.mu.Lock()
	if s.ended != nil {
		defer s.mu.Unlock()
		c.err = s.ended
		close(c.done)
		return c
	}
	s.last++
	id := s.last
	s.waiting[id] = c
	s.mu.Unlock()
	b := make([]byte, 0, 9+len(head)+len(data))
	b = binary.BigEndian.AppendUint32(b, uint32(5+len(head)+len(data)))
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, id)
	b = append(append(b, head...), data...)
	if _, err := s.in.Write(b); err != nil {
		s.in.Close() // the other side ends the session then, and all who wait hear of it
		s.forget(id, err)
	}
	return c
}

// forget completes a request that could not be sent.
func (s *session) forget(id uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.waiting[id]; c != nil {
		delete(s.waiting, id)
		c.err = fmt.Errorf("send a request: %w", err)
		close(c.done)
	}
}

// wait waits until the request is answered. After an error of ctx the answer may still arrive, and
// data may still be written to their destination.
func (c *call) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// status waits for an answer that only reports success or failure.
func (c *call) status(ctx context.Context) error {
	_, err := c.expect(ctx, packetStatus)
	return err
}

// expect waits for an answer of a kind and returns it. An answer that reports failure is returned
// as an error, a *Status.
func (c *call) expect(ctx context.Context, kind byte) (*parser, error) {
	if err := c.wait(ctx); err != nil {
		return nil, err
	}
	if c.kind == packetStatus {
		if err := parseStatus(c.body); err != nil || kind == packetStatus {
			return nil, err
		}
	}
	if c.kind != kind {
		return nil, fmt.Errorf("%w: packet %d, not %d", errPacket, c.kind, kind)
	}
	return &parser{c.body}, nil
}

// parseStatus parses a status. It returns nil for success.
func parseStatus(body []byte) error {
	p := parser{body}
	code := p.number()
	if p.bad() {
		return errPacket
	}
	if code == 0 {
		return nil
	}
	return &Status{code, p.text()}
}

// data waits for the data of a READ. It returns how many bytes there were, and io.EOF after the
// last.
func (c *call) data(ctx context.Context) (int, error) {
	_, err := c.expect(ctx, packetData)
	if isEnd(err) {
		return 0, io.EOF
	}
	return c.n, err
}

// parser reads the fields of a packet. After a field that goes beyond the end of the packet, all
// fields are empty.
type parser struct{ left []byte }

func (p *parser) bad() bool { return p.left == nil }

func (p *parser) take(n uint32) []byte {
	if uint64(n) > uint64(len(p.left)) {
		p.left = nil
		return nil
	}
	b := p.left[:n:n]
	p.left = p.left[n:]
	return b
}

func (p *parser) number() uint32 {
	b := p.take(4)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

func (p *parser) long() uint64 {
	high := p.number()
	return uint64(high)<<32 | uint64(p.number())
}

func (p *parser) text() string { return string(p.take(p.number())) }
