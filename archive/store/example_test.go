package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
)

// Objects are never overwritten: of two writers of one name, one wins.
func ExampleStore() {
	ctx := context.Background()
	var s store.Store = memory.New()
	data := []byte("an object")
	if err := s.Put(ctx, "log/db1.0/0000000001", data, sha256.Sum256(data)); err != nil {
		log.Fatal(err)
	}
	other := []byte("another")
	err := s.Put(ctx, "log/db1.0/0000000001", other, sha256.Sum256(other))
	fmt.Println("exists already:", errors.Is(err, store.ErrExist))

	tail, err := s.Get(ctx, "log/db1.0/0000000001", 3, -1, nil)
	fmt.Println(string(tail), err)
	for info, err := range s.List(ctx, "log/", "") {
		fmt.Println(info.Name, info.Size, err)
	}
	// Output:
	// exists already: true
	// object <nil>
	// log/db1.0/0000000001 9 <nil>
}
