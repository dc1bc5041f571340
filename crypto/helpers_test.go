package crypto

import (
	"testing"

	"filippo.io/age"
)

const testRepository = "7f3a9c1e5b2d4680"

func testIdentity(t testing.TB, classic bool) (age.Identity, age.Recipient) {
	t.Helper()
	identity, err := GenerateIdentity(classic)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := RecipientOf(identity)
	if err != nil {
		t.Fatal(err)
	}
	return identity, recipient
}

func testSigner(t testing.TB, name string) Signer {
	t.Helper()
	signer, err := GenerateSigner(name)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func testDomain(t testing.TB) Domain {
	t.Helper()
	domain, err := NewDomain(testRepository)
	if err != nil {
		t.Fatal(err)
	}
	return domain
}

func testWriterFile(t testing.TB, classic bool) WriterFile {
	t.Helper()
	_, a := testIdentity(t, classic)
	_, b := testIdentity(t, classic)
	return WriterFile{
		Repository: testRepository, Signer: testSigner(t, "host-1"), Owner: testSigner(t, "owner").Verifier(),
		DomainNumber: 3, Domain: testDomain(t), Classic: classic, Recipients: []age.Recipient{a, b},
	}
}

func testCollectorFile(t testing.TB) CollectorFile {
	t.Helper()
	index := map[int]age.Identity{}
	for n := 1; n < 3; n++ {
		identity, _, err := testDomain(t).IndexIdentity(false)
		if err != nil {
			t.Fatal(err)
		}
		index[n] = identity
	}
	return CollectorFile{
		Repository: testRepository, Signer: testSigner(t, "collector"), Owner: testSigner(t, "owner").Verifier(), Index: index,
	}
}

func collectorIdentities(f CollectorFile) (list []age.Identity) {
	for _, identity := range f.Index {
		list = append(list, identity)
	}
	return list
}

func testBytes(n int) []byte {
	data := make([]byte, n)
	for i, x := 0, uint32(1); i < n; i++ {
		x = x*1664525 + 1013904223
		data[i] = byte(x >> 24)
	}
	return data
}
