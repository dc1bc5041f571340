package sftp

import "testing"

func FuzzParseStatus(f *testing.F) {
	f.Add(byte(packetStatus), []byte{0, 0, 0, 1, 0, 0, 0, 0}, uint32(1))
	f.Add(byte(packetStatus), []byte{0, 0, 0, 1, 0, 0, 0, 4}, uint32(1))
	f.Add(byte(0), []byte{}, uint32(0))
	f.Fuzz(func(t *testing.T, kind byte, reply []byte, id uint32) {
		if err := parseStatus(kind, reply, id); err == nil && (kind != packetStatus || len(reply) < 8) {
			t.Errorf("packet %d of %d bytes is taken for a success", kind, len(reply))
		}
	})
}
