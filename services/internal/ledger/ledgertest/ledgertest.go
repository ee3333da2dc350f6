// Package ledgertest is for tests that need what only the ledger knows: a NATS
// server of their own, and somebody who changes the log on disk behind the
// server's back. It promises that neither touches anything but the directory
// that the test names.
package ledgertest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/minio/highwayhash"
	"github.com/nats-io/nats-server/v2/server"
)

// Serve runs a NATS server on loopback, as an operator would set it up for
// services apart, and answers its address.
func Serve(t testing.TB, dir string) (url string) {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		ServerName: "apart", Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir, SyncAlways: true,
		JetStreamMaxStore: 1 << 50, JetStreamMaxMemory: 1 << 28, MaxPayload: 8 << 20, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	go srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("the NATS server did not become ready within 20 s")
	}
	return srv.ClientURL()
}

// Log is the folder of the embedded server's store beneath a data directory.
func Log(data string) string { return filepath.Join(data, "log") }

func blocks(t testing.TB, data, stream string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(Log(data), "jetstream", "$G", "streams", stream, "msgs", "*.blk"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no blocks of %s beneath %s: %v", stream, data, err)
	}
	slices.Sort(found)
	return found
}

// Parts of a stored record: length, sequence, time, length of the subject, then
// subject, length of the header, header, body, checksum.
const (
	fixed     = 22
	hasHeader = uint32(1) << 31
)

// Change changes the body of one record of a stopped log on disk. Sound says
// whether the record's checksum is made to fit, as somebody who knows the format
// would do.
func Change(t testing.TB, data, stream string, seq uint64, sound bool, change func(body []byte)) {
	t.Helper()
	for _, path := range blocks(t, data, stream) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before := bytes.Clone(raw)
		if !changeIn(t, path, raw, stream, seq, sound, change) {
			continue
		}
		if bytes.Equal(before, raw) {
			t.Fatalf("record %d of %s was to be changed and is the same", seq, stream)
		}
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("record %d of %s is in no block", seq, stream)
}

func changeIn(t testing.TB, path string, raw []byte, stream string, seq uint64, sound bool, change func([]byte)) bool {
	t.Helper()
	from, to := find(t, path, raw, seq)
	if from == to {
		return false
	}
	record := raw[from:to]
	rest := record[fixed : len(record)-highwayhash.Size64]
	n := int(binary.LittleEndian.Uint16(record[20:]))
	subject, rest := rest[:n], rest[n:]
	var header []byte
	if binary.LittleEndian.Uint32(record)&hasHeader != 0 {
		n = int(binary.LittleEndian.Uint32(rest))
		header, rest = rest[4:4+n], rest[4+n:]
	}
	sum := record[len(record)-highwayhash.Size64:]
	digest := checksum(t, path, stream)
	of := func() []byte {
		digest.Reset()
		for _, part := range [][]byte{record[4:20], subject, header, rest} {
			_, _ = digest.Write(part) // a hash takes everything
		}
		return digest.Sum(nil)
	}
	if !bytes.Equal(of(), sum) {
		t.Fatalf("the checksum of record %d of %s is not what this helper computes; the format of the blocks has changed", seq, stream)
	}
	change(rest)
	if sound {
		copy(sum, of())
	}
	return true
}

// find answers where in a block a record lies; nowhere = from is to.
func find(t testing.TB, path string, raw []byte, seq uint64) (from, to int) {
	t.Helper()
	// The two highest bits of a sequence are marks.
	const number = 1<<62 - 1
	for at := 0; at+fixed < len(raw); {
		end := at + int(binary.LittleEndian.Uint32(raw[at:])&^hasHeader)
		if end > len(raw) || end <= at {
			t.Fatalf("%s cannot be read as a block at %d", path, at)
		}
		if binary.LittleEndian.Uint64(raw[at+4:])&number == seq {
			return at, end
		}
		at = end
	}
	return 0, 0
}

// Cut takes a record and all that follow out of a stopped log on disk.
func Cut(t testing.TB, data, stream string, seq uint64) {
	t.Helper()
	cut := false
	for _, path := range blocks(t, data, stream) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		from, to := find(t, path, raw, seq)
		switch {
		case cut:
			err = os.Remove(path)
		case from != to:
			err, cut = os.Truncate(path, int64(from)), true
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !cut {
		t.Fatalf("record %d of %s is in no block", seq, stream)
	}
}

// Crash makes a stopped log look as after a crash: the server finds no index and
// reads its blocks anew.
func Crash(t testing.TB, data, stream string) {
	t.Helper()
	if err := os.Remove(filepath.Join(filepath.Dir(blocks(t, data, stream)[0]), "index.db")); err != nil {
		t.Fatal(err)
	}
}

// checksum is the server's hash of the records of one block: keyed, but with a
// key that anybody can compute.
func checksum(t testing.TB, path, stream string) *highwayhash.Digest64 {
	t.Helper()
	var block int
	if _, err := fmt.Sscanf(filepath.Base(path), "%d.blk", &block); err != nil {
		t.Fatal(err)
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", stream, block))
	digest, err := highwayhash.NewDigest64(key[:])
	if err != nil {
		t.Fatal(err)
	}
	return digest
}
