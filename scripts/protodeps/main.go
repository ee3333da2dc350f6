// Command protodeps prints third-party .proto files from the descriptors that
// are compiled into Go modules we link anyway, so that contracts can be linted
// and generated without a schema registry.
//
//	GOWORK=off go -C scripts/protodeps run . ../../proto buf/validate/validate.proto google/api/annotations.proto
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jhump/protoreflect/desc" //nolint:staticcheck // deprecated, and the only printer of descriptors in a released version
	"github.com/jhump/protoreflect/desc/protoprint"

	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate" // validate.proto
	_ "google.golang.org/genproto/googleapis/api/annotations"                   // annotations.proto, http.proto
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: protodeps OUT_DIR FILE.proto…")
		os.Exit(2)
	}
	for _, path := range os.Args[2:] {
		if err := write(os.Args[1], path, map[string]bool{}); err != nil {
			fmt.Fprintln(os.Stderr, "protodeps:", err)
			os.Exit(1)
		}
	}
}

// write prints one file and, before it, whatever it imports.
func write(out, path string, done map[string]bool) error {
	if done[path] || strings.HasPrefix(path, "google/protobuf/") {
		return nil
	}
	done[path] = true
	file, err := desc.LoadFileDescriptor(path)
	if err != nil {
		return fmt.Errorf("load %s: %w", path, err)
	}
	for _, dep := range file.GetDependencies() {
		if err := write(out, dep.GetName(), done); err != nil {
			return err
		}
	}
	text, err := (&protoprint.Printer{Compact: true}).PrintProtoToString(file)
	if err != nil {
		return fmt.Errorf("print %s: %w", path, err)
	}
	to := filepath.Join(out, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, []byte(text), 0o644)
}
