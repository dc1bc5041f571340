package archive

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// Level is how hard a writer compresses.
type Level int

// The levels, from the fastest to the smallest.
const (
	// LevelAuto compresses samples of each kind of content at two levels, and uses the better one
	// where it saves enough.
	LevelAuto Level = iota
	LevelFastest
	LevelDefault
	LevelBetter
	LevelBest
)

// window is the distance in bytes within which an encoder looks for matches. A larger window gains
// little, even in larger frames, and an encoder needs twice its size in memory.
const window = 1 << 20

var encoders = [...]func() *zstd.Encoder{
	LevelFastest: makeEncoder(zstd.SpeedFastest),
	LevelDefault: makeEncoder(zstd.SpeedDefault),
	LevelBetter:  makeEncoder(zstd.SpeedBetterCompression),
	LevelBest:    makeEncoder(zstd.SpeedBestCompression),
}

// longEncoder compresses more than MaxChunk bytes, which not every decoder accepts as a single
// segment.
var longEncoder = makeEncoder(zstd.SpeedDefault, zstd.WithSingleSegment(false))

// encoder returns the encoder of a level. All goroutines share it; it runs as many encodings at
// once as there are processors.
func encoder(level Level) *zstd.Encoder { return encoders[level]() }

// makeEncoder makes an encoder at its first use. It writes single segments, since these always
// state their content size, which other short frames omit.
func makeEncoder(speed zstd.EncoderLevel, more ...zstd.EOption) func() *zstd.Encoder {
	return sync.OnceValue(func() *zstd.Encoder {
		options := []zstd.EOption{zstd.WithEncoderLevel(speed), zstd.WithEncoderCRC(false), zstd.WithWindowSize(window),
			zstd.WithSingleSegment(true), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0))}
		e, err := zstd.NewWriter(nil, append(options, more...)...)
		if err != nil {
			panic(fmt.Sprintf("make an encoder: %v", err))
		}
		return e
	})
}

const (
	sampleEvery = 16 << 20  // bytes of one kind of content between samples; more while they agree
	sampleMost  = 128 << 20 // bytes between samples at most
	sampleSize  = 256 << 10 // bytes that are tried
	sampleLeast = 32 << 10  // smaller frames tell nothing
	maxKinds    = 4096
)

// sampler chooses a level for each kind of content by compressing samples of it. It is safe for
// concurrent use.
type sampler struct {
	mu    sync.Mutex
	kinds map[string]*kindLevel
}

// kindLevel is what a sampler knows of one kind of content.
type kindLevel struct {
	left  atomic.Int64 // bytes until the next sample
	level atomic.Int32
	vain  atomic.Int32 // frames that harder leaves alone

	mu            sync.Mutex
	every         int64 // bytes between samples
	fast, thrifty int   // what samples took at either level, bytes; the last one counts as much as all before
}

// level returns the level for a frame with these bytes. It allocates only for samples.
func (s *sampler) level(kind string, raw []byte) Level {
	k := s.kind(kind)
	if k.left.Add(-int64(len(raw))) < 0 && len(raw) >= sampleLeast {
		k.left.Store(sampleMost) // while this one is tried
		sample := middle(raw)
		k.learn(compressedSize(LevelFastest, sample), compressedSize(LevelDefault, sample))
	}
	return Level(k.level.Load())
}

func (s *sampler) kind(name string) *kindLevel {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, found := s.kinds[name]; found {
		return k
	}
	if s.kinds == nil || len(s.kinds) >= maxKinds {
		s.kinds = make(map[string]*kindLevel)
	}
	k := &kindLevel{}
	k.level.Store(int32(LevelDefault))
	s.kinds[name] = k
	return k
}

// learn chooses the default level if it saves more than 4 %, since it takes half as long again, and
// sets when to take the next sample.
func (k *kindLevel) learn(fast, thrifty int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fast, k.thrifty = k.fast/2+fast, k.thrifty/2+thrifty
	level := LevelFastest
	if k.fast*100 > k.thrifty*104 {
		level = LevelDefault
	}
	k.every = min(2*k.every, sampleMost)
	if before := Level(k.level.Swap(int32(level))); k.every == 0 || level != before {
		k.every = sampleEvery
	}
	k.left.Store(k.every)
}

// middle returns the part of a frame that serves as its sample.
func middle(raw []byte) []byte {
	if len(raw) <= sampleSize {
		return raw
	}
	start := (len(raw) - sampleSize) / 2
	return raw[start : start+sampleSize]
}

func compressedSize(level Level, raw []byte) int {
	out := borrowScratch()
	defer giveBack(out)
	*out = encoder(level).EncodeAll(raw, (*out)[:0])
	return len(*out)
}

// patience is how many frames harder skips after one on which it was of no use.
const patience = 16

// harder compresses raw again if the fastest level has left it uncompressed and a sample shows that
// another level can compress it: to the fastest level some numbers look like noise. After real
// noise it skips frames.
func (s *sampler) harder(kind string, frame, raw []byte) []byte {
	k := s.kind(kind)
	if k.vain.Add(-1) >= 0 {
		return frame
	}
	sample := middle(raw)
	if compressedSize(LevelDefault, sample) > len(sample)-len(sample)/16 {
		k.vain.Store(patience)
		return frame
	}
	k.vain.Store(0)
	return encoder(LevelDefault).EncodeAll(raw, frame[:0])
}

// scratch pools memory for compressed samples, and for decompressed frames that are read from a
// pack.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

func borrowScratch() *[]byte { return scratch.Get().(*[]byte) }

func giveBack(b *[]byte) { scratch.Put(b) }
