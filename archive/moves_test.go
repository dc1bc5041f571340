package archive

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

func someMoves() []MovedPack {
	return []MovedPack{
		{Data, Name{1}, []MovedChunk{{0, Name{8}, 3}, {7, Name{9}, 0}}},
		{Data, Name{2}, []MovedChunk{{5, Name{8}, 4}}},
		{Trees, Name{1}, []MovedChunk{{1, Name{7}, 0}}},
	}
}

func TestMovesAreReadAsTheyWereWritten(t *testing.T) {
	for _, want := range [][]MovedPack{{}, someMoves()} {
		got, err := ParseMoves(EncodeMoves(want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
}

func FuzzParseMoves(f *testing.F) {
	f.Add(EncodeMoves(nil))
	f.Add(EncodeMoves(someMoves()))
	f.Fuzz(func(t *testing.T, content []byte) {
		moves, err := ParseMoves(content)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("got %v, want ErrDamaged", err)
			}
			return
		}
		again, err := ParseMoves(EncodeMoves(moves))
		if err != nil || !reflect.DeepEqual(moves, again) && len(moves) > 0 {
			t.Fatalf("got %+v, %v after %+v", again, err, moves)
		}
		if bytes.Equal(content, nil) {
			t.Fatal("nothing was read as moves")
		}
	})
}
