package archive_test

import (
	"context"
	"fmt"
	"log"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/crypto"
)

// A writer packs chunks; a reader fetches one by the place that the writer has told.
func Example() {
	ctx := context.Background()
	identity, err := crypto.GenerateIdentity(true)
	if err != nil {
		log.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		log.Fatal(err)
	}
	domain, err := crypto.NewDomain("00112233445566778899aabbccddeeff")
	if err != nil {
		log.Fatal(err)
	}
	s := memory.New()

	w := archive.NewWriter(ctx, s, archive.WriterOptions{Kind: archive.Data, Recipients: []age.Recipient{recipient}})
	defer w.Close()
	content := []byte("the content of a small file")
	slot := archive.NewSlot(domain.DataID().Sum(content), len(content))
	if err := w.Add(ctx, slot, content, "txt"); err != nil {
		log.Fatal(err)
	}
	if err := w.Flush(ctx); err != nil {
		log.Fatal(err)
	}

	r := archive.NewReader(s, []age.Identity{identity}, domain.DataID(), domain.TreeID(), archive.ReaderOptions{})
	chunk, sealed := slot.Chunk()
	data, err := r.ReadChunk(ctx, chunk, nil)
	fmt.Println(sealed, string(data), err)
	// Output: true the content of a small file <nil>
}
