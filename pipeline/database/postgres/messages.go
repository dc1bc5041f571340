package postgres

import (
	"bufio"
	"encoding/binary"
	"io"

	"github.com/jackc/pgx/v5/pgproto3"
)

// COPY sends a row as one message, which the client library holds whole. messages cuts such
// messages into several, so that a row may be larger than memory, and joins those that have come
// together into one, since each costs the library as much as reading a small row does.

// pieceOfRow is how much of a COPY the library is given at a time.
const pieceOfRow = 64 << 10

// newFrontend is pgproto3.NewFrontend with messages between the server and the library.
func newFrontend(r io.Reader, w io.Writer) *pgproto3.Frontend {
	return pgproto3.NewFrontend(newMessages(r), w)
}

// messages reads what a server sends.
type messages struct {
	in   *bufio.Reader
	head []byte // of a message, not given yet
	body int    // bytes to be given before the next header
	rest int    // bytes of a row that come after them
	more int    // messages, all of them here, whose bodies belong to the same one
	open [5]byte
}

func newMessages(r io.Reader) *messages {
	return &messages{in: bufio.NewReaderSize(r, pieceOfRow)}
}

// Read implements io.Reader. It waits for the server only while it has nothing to give.
func (m *messages) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if n > 0 && len(m.head) == 0 && m.in.Buffered() < len(m.open) {
			return n, nil
		}
		k, err := m.read(p[n:])
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (m *messages) read(p []byte) (n int, err error) {
	switch {
	case len(m.head) > 0:
		n = copy(p, m.head)
		m.head = m.head[n:]
		return n, nil
	case m.body > 0:
		n, err = m.in.Read(p[:min(len(p), m.body)])
		m.body -= n
		return n, err
	case m.rest > 0:
		m.begin('d', min(m.rest, pieceOfRow))
		m.rest -= m.body
		return 0, nil
	}
	kind, size, err := m.header()
	if err != nil {
		return 0, err
	}
	switch {
	case m.more > 0:
		m.more--
		m.body = size
		return 0, nil
	case kind == 'd' && size > pieceOfRow:
		m.rest, size = size-pieceOfRow, pieceOfRow
		m.begin(kind, size)
	case kind == 'd':
		m.begin(kind, size+m.join(size))
		m.body = size
	default:
		m.begin(kind, size)
	}
	return 0, nil
}

// header takes the header of what the server sends next.
func (m *messages) header() (kind byte, size int, err error) {
	head, err := m.in.Peek(len(m.open))
	if err != nil {
		return 0, 0, err
	}
	kind, size = head[0], int(binary.BigEndian.Uint32(head[1:]))-4
	_, err = m.in.Discard(len(m.open))
	return kind, size, err
}

// join counts the messages of a COPY that are here, whole, behind a body, and gives the size of
// their bodies.
func (m *messages) join(size int) (added int) {
	here, _ := m.in.Peek(m.in.Buffered())
	for at := size; at+len(m.open) <= len(here) && here[at] == 'd'; m.more++ {
		next := int(binary.BigEndian.Uint32(here[at+1:])) - 4
		if next < 0 || next > len(here)-at-len(m.open) {
			break
		}
		added += next
		at += len(m.open) + next
	}
	return added
}

// begin gives a header of the library's own.
func (m *messages) begin(kind byte, size int) {
	m.open[0] = kind
	binary.BigEndian.PutUint32(m.open[1:], uint32(size+4))
	m.head, m.body = m.open[:], size
}
