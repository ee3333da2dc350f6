package intake

import (
	"cmp"
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"buf.build/go/protovalidate"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// Each tool that has a name here is one small file: how its deliveries are
// verified and where things are in them, in the words of Verification and
// Mapping. A preset names what the generic layers do; none has code of its own.
//
//go:embed presets/*.yaml
var presetFiles embed.FS

var presets = sync.OnceValue(func() []*intakev1.Preset {
	list, err := loadPresets(presetFiles)
	if err != nil {
		panic(err) // the files are part of the program, and a test reads them all
	}
	return list
})

// Presets are the tools that have a name here, by name. They are shared: clone
// one before changing it.
func Presets() []*intakev1.Preset { return presets() }

// PresetOf answers a tool's preset; nil = no tool has this name here.
func PresetOf(name string) *intakev1.Preset {
	i, ok := slices.BinarySearchFunc(presets(), name, func(p *intakev1.Preset, name string) int { return cmp.Compare(p.GetName(), name) })
	if !ok {
		return nil
	}
	return presets()[i]
}

// loadPresets reads every file, strictly.
func loadPresets(files fs.FS) ([]*intakev1.Preset, error) {
	names, err := fs.Glob(files, "presets/*.yaml")
	if err != nil {
		return nil, err
	}
	list := make([]*intakev1.Preset, 0, len(names))
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		p := &intakev1.Preset{}
		asJSON, err := yaml.YAMLToJSON(text)
		if err == nil {
			err = protojson.Unmarshal(asJSON, p)
		}
		if err == nil && p.GetVerification() == nil {
			err = protovalidate.Validate(p)
		}
		if err != nil {
			return nil, fault.New(fault.Invalid, "%s: %w", name, err)
		}
		if want := strings.TrimSuffix(path.Base(name), ".yaml"); p.GetName() != want {
			return nil, fault.New(fault.Invalid, "%s: the name is %q and must be the file's", name, p.GetName())
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *intakev1.Preset) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return list, nil
}
