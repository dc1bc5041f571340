package backup

import (
	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
)

// Where memory is below tightMemory bytes, packs are of smallPack bytes.
const (
	tightMemory = 128 << 20
	smallPack   = 8 << 20
)

// PackSize is the size of packs in bytes that was asked for, less than usual where memory is tight;
// 0 is as usual, for asked and in the result. memory is what there is; 0: nobody has said.
func PackSize(asked, memory int64) (int, error) {
	switch {
	case asked == 0 && memory > 0 && memory < tightMemory:
		return smallPack, nil
	case asked == 0:
		return 0, nil
	}
	if err := archive.CheckPackSize(int(asked)); err != nil {
		return 0, catalog.Misuse("--pack-size: %w", err)
	}
	return int(asked), nil
}
