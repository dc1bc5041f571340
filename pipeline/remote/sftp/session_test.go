package sftp

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
)

// slow is a server that answers nothing, but for OPEN, before it has heard CLOSE: whoever waits for
// anything before that waits for good.
type slow struct {
	t     *testing.T
	conn  net.Conn
	size  int
	kinds []byte
	held  [][]byte
}

// start lets a client talk to it.
func (s *slow) start() *Conn {
	client, server := net.Pipe()
	s.t.Cleanup(func() { client.Close(); server.Close() })
	s.conn = server
	go s.serve()
	begun, err := newSession(client, client)
	if err != nil {
		s.t.Fatal(err)
	}
	begun.extensions[extensionSync] = "1"
	return &Conn{session: begun}
}

func (s *slow) serve() {
	for {
		var head [5]byte
		if _, err := io.ReadFull(s.conn, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[:])-1)
		if _, err := io.ReadFull(s.conn, body); err != nil {
			return
		}
		switch head[4] {
		case packetInit:
			s.answer(packetVersion, []byte{0, 0, 0, 3})
			continue
		case packetOpen:
			s.answer(packetHandle, append(slices.Clone(body[:4]), texts("handle")...))
		default:
			s.held = append(s.held, append([]byte{head[4]}, body...))
		}
		s.kinds = append(s.kinds, head[4])
		if head[4] == packetClose {
			s.release()
		}
	}
}

func (s *slow) answer(kind byte, body []byte) {
	packet := append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+1)), kind)
	_, _ = s.conn.Write(append(packet, body...))
}

// release answers all that is held.
func (s *slow) release() {
	for _, request := range s.held {
		id := slices.Clone(request[1:5])
		switch request[0] {
		case packetRead:
			n := binary.BigEndian.Uint32(request[len(request)-4:])
			s.answer(packetData, append(id, texts(string(make([]byte, n)))...))
		case packetFstat, packetStat:
			var is Change
			is.SetSize(uint64(s.size))
			s.answer(packetAttrs, is.appendTo(id))
		default:
			s.answer(packetStatus, append(id, texts("\x00\x00\x00\x00")[4:]...))
		}
	}
	s.held = nil
}

func TestAFileIsReadInTwoRoundTrips(t *testing.T) {
	s := &slow{t: t, size: 100_000}
	server, err := NewServer(Options{Host: "host", User: "user", KnownHosts: []string{"none"}, Keys: []Key{{}}})
	if err != nil {
		t.Fatal(err)
	}
	p := &piece{last: true, data: make([]byte, 0, s.size)}
	if _, err := server.fetchOn(context.Background(), s.start(), "file", p); err != nil || len(p.data) != s.size {
		t.Errorf("got %d bytes, %v", len(p.data), err)
	}
	want := []byte{packetOpen, packetRead, packetRead, packetRead, packetRead, packetFstat, packetStat, packetClose}
	if !bytes.Equal(s.kinds, want) {
		t.Errorf("sent the requests %v, want %v", s.kinds, want)
	}
}

func TestAFileIsWrittenInTwoRoundTripsAndNothingAfterThem(t *testing.T) {
	s := &slow{t: t, size: 40_000}
	w := &Writer{ctx: context.Background(), path: "file"}
	if _, err := w.WriteAt(make([]byte, s.size), 0); err != nil {
		t.Fatal(err)
	}
	var mode, moment Change
	mode.SetMode(0o644)
	w.conn = s.start()
	var err error
	if w.handle, err = w.conn.send(packetOpen, openRequest("file", openWrite), nil, nil).handle(w.ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.complete(int64(s.size), true, []Change{mode, moment}); err != nil {
		t.Error(err)
	}
	want := []byte{packetOpen, packetWrite, packetWrite, packetFsetstat, packetFsetstat, packetExtended, packetFstat, packetClose}
	if !bytes.Equal(s.kinds, want) {
		t.Errorf("sent the requests %v, want %v", s.kinds, want)
	}
}

// heard is the side of a connection from which bytes come; what is sent goes nowhere.
type heard struct{ io.Reader }

// Write implements io.Writer.
func (heard) Write(p []byte) (int, error) { return len(p), nil }

// Close implements io.Closer.
func (heard) Close() error { return nil }

func FuzzAnswers(f *testing.F) {
	answer := func(kind byte, body ...byte) []byte {
		return append([]byte{0, 0, 0, byte(5 + len(body)), kind, 0, 0, 0, 1}, body...)
	}
	f.Add(answer(packetStatus, 0, 0, 0, 1))
	f.Add(answer(packetHandle, 0, 0, 0, 2, 'a', 'b'))
	f.Add(answer(packetName, 0, 0, 0, 1, 0, 0, 0, 1, 'a', 0, 0, 0, 0, 0, 0, 0, 0))
	f.Add(answer(packetAttrs, 0, 0, 0, 4, 0, 0, 1, 0o244))
	f.Fuzz(func(t *testing.T, answers []byte) {
		out := &held{hello: []byte{0, 0, 0, 5, packetVersion, 0, 0, 0, 3}, answers: answers, asked: make(chan struct{})}
		s, err := newSession(heard{out}, out)
		if err != nil {
			t.Fatal(err)
		}
		c := s.send(packetReaddir, nil, nil, nil)
		close(out.asked)
		ctx := context.Background()
		if c.wait(ctx) != nil {
			return
		}
		_, _ = c.names(ctx, nil)
		_, _ = c.attributes(ctx)
		_, _ = c.handle(ctx)
		_, _ = c.name(ctx)
		if err := c.status(ctx); err == nil && (c.kind != packetStatus || len(c.body) < 4) {
			t.Errorf("packet %d of %d bytes is taken for a success", c.kind, len(c.body))
		}
	})
}

// held says hello, and what else it has when it is asked.
type held struct {
	hello, answers []byte
	asked          chan struct{}
}

// Read implements io.Reader.
func (h *held) Read(p []byte) (int, error) {
	from := &h.hello
	if len(h.hello) == 0 {
		<-h.asked
		from = &h.answers
	}
	if len(*from) == 0 {
		return 0, io.EOF
	}
	n := copy(p, *from)
	*from = (*from)[n:]
	return n, nil
}
