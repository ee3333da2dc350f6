package agreement

import (
	"archive/zip"
	"bytes"
	_ "embed" // The time zones.
	"io"
	"sync"
	"time"
)

// The time zone database is part of the program: a due time that was computed
// on one machine must come out the same on another, and the machine's own
// database, which time.LoadLocation prefers, may be of another year.
//
//go:embed tzdata/zoneinfo.zip
var zoneData []byte

// zoneVersion is the release of the time zone database in tzdata/zoneinfo.zip.
const zoneVersion = "2025c"

// TZDataVersion names the release of the time zone database that calendars use.
func TZDataVersion() string { return zoneVersion }

var zoneArchive = sync.OnceValues(func() (*zip.Reader, error) {
	return zip.NewReader(bytes.NewReader(zoneData), int64(len(zoneData)))
})

// zone answers a time zone by its name, such as Europe/Berlin.
func zone(name string) (*time.Location, bool) {
	archive, err := zoneArchive()
	if err != nil {
		return nil, false
	}
	for _, file := range archive.File {
		if file.Name != name {
			continue
		}
		in, err := file.Open()
		if err != nil {
			return nil, false
		}
		data, err := io.ReadAll(in)
		if err != nil {
			return nil, false
		}
		location, err := time.LoadLocationFromTZData(name, data)
		return location, err == nil
	}
	return nil, false
}

// zoneNames lists all zones, for suggestions.
func zoneNames() []string {
	archive, err := zoneArchive()
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(archive.File))
	for _, file := range archive.File {
		names = append(names, file.Name)
	}
	return names
}
