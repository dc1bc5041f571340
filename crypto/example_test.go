package crypto_test

import (
	"fmt"
	"log"

	"github.com/packstone/packstone/crypto"
)

// Whoever has the identity can open what is sealed to its recipient.
func ExampleSeal() {
	identity, err := crypto.GenerateIdentity(false)
	if err != nil {
		log.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		log.Fatal(err)
	}
	sealed, err := crypto.Seal(nil, []byte("a backup"), recipient)
	if err != nil {
		log.Fatal(err)
	}
	plain, err := crypto.Open(nil, sealed, identity)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(plain))
	// Output: a backup
}

// A signature holds for one object of one repository, so that a copy elsewhere proves nothing.
func ExampleVerify() {
	signer, err := crypto.GenerateSigner("owner")
	if err != nil {
		log.Fatal(err)
	}
	signed, err := signer.Sign("00112233445566778899aabbccddeeff", "config/1", []byte("body\n"))
	if err != nil {
		log.Fatal(err)
	}
	_, by, err := crypto.Verify("00112233445566778899aabbccddeeff", "config/1", signed, signer.Verifier())
	fmt.Println(by.Name(), err)
	_, _, err = crypto.Verify("00112233445566778899aabbccddeeff", "config/2", signed, signer.Verifier())
	fmt.Println("elsewhere:", err != nil)
	// Output:
	// owner <nil>
	// elsewhere: true
}
