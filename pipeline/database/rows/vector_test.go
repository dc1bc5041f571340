package rows

import (
	"bytes"
	"context"
	"math"
	"os"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
)

// vector is a table with every class of cell; later is its next state.
type vector bool

func vectorRows(later bool) vector { return vector(later) }

func (vector) Schema(context.Context) (*database.Schema, error) { return &database.Schema{}, nil }

func (later vector) Rows(_ context.Context, _ *database.Table, send func(*database.Batch) error) error {
	b := database.NewBatch()
	row := func(add func()) { add(); b.EndRow() }
	row(func() { b.Int(-1); b.Float(math.Copysign(0, -1)); b.String("é\x00"); b.Blob([]byte{0, 255}) })
	if later {
		row(func() { b.Null(); b.Float(math.NaN()); b.String("changed"); b.Blob(nil) })
	} else {
		row(func() { b.Null(); b.Float(math.NaN()); b.String(""); b.Blob(nil) })
		row(func() { b.Int(math.MinInt64); b.Float(math.Inf(1)); b.Null(); b.Null() })
	}
	row(func() { b.Uint(math.MaxUint64); b.Float(1.5); b.String("last"); b.Bool(true) })
	row(func() {})
	return send(b)
}

func TestStreamsOfVersion1StayReadable(t *testing.T) {
	base, err := os.ReadFile("testdata/stream-v1.base")
	if err != nil {
		t.Fatal(err)
	}
	delta, err := os.ReadFile("testdata/stream-v1.delta")
	if err != nil {
		t.Fatal(err)
	}
	sum := func(r database.Reader) database.Digest {
		var s database.Summer
		err := r.Rows(context.Background(), &database.Table{Name: "t"}, func(b *database.Batch) error {
			defer b.Release()
			return s.Add(b)
		})
		if err != nil {
			t.Fatal(err)
		}
		return s.Digest()
	}
	if got, want := sum(stored{base}), sum(vectorRows(false)); got != want {
		t.Errorf("base: %s, want %s", got, want)
	}
	if got, want := sum(stored{base, delta}), sum(vectorRows(true)); got != want {
		t.Errorf("base and delta: %s, want %s", got, want)
	}
	const digest = "3f11d07ddc5dc966b6e808bd97808a1610316703e4b3ca050d93fb6bff94b0bc"
	if got := sum(stored{base, delta}).String(); got != digest {
		t.Errorf("the digest of version 1 is %s, want %s", got, digest)
	}
	var out bytes.Buffer
	if _, err := WriteBase(context.Background(), &out, nil, vectorRows(false), &database.Table{Name: "t"}); err != nil || !bytes.Equal(out.Bytes(), base) {
		t.Errorf("a base is written as %x, %v, want %x", out.Bytes(), err, base)
	}
}

// stored is a Reader of runs.
type stored [][]byte

func (stored) Schema(context.Context) (*database.Schema, error) { return &database.Schema{}, nil }

func (s stored) Rows(ctx context.Context, _ *database.Table, send func(*database.Batch) error) error {
	return Read(ctx, readers(s), "", send)
}
