// Package chunkerbench compares packstone's chunker with the Rabin chunker of restic and the
// FastCDC of plakar, at equal class sizes and on equal data: speed, and the mean chunk that comes
// out. Run
//
//	go test -C tools/chunkerbench -bench .
package chunkerbench
