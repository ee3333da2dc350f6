package agreement

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"
)

// TestZoneData holds the version to the data: who replaces one must replace the
// other, because decisions cite the version.
func TestZoneData(t *testing.T) {
	const version, digest = "2025c", "8f55634d05f8bca1f7bc7c69c5933428c69357e0bdf565e5ba224e3f88ff12e8"
	sum := sha256.Sum256(zoneData)
	if got := hex.EncodeToString(sum[:]); TZDataVersion() != version || got != digest {
		t.Errorf("release %s with digest %s, want %s with %s", TZDataVersion(), got, version, digest)
	}
}

// TestZones loads every zone, and none that is not in the database.
func TestZones(t *testing.T) {
	names := zoneNames()
	if len(names) < 500 {
		t.Fatalf("only %d zones", len(names))
	}
	for _, name := range names {
		location, ok := zone(name)
		if !ok || location.String() != name {
			t.Errorf("zone(%q) = %v, %v", name, location, ok)
		}
	}
	for _, name := range []string{"", "Local", "Europe", "Europe/", "../UTC", "europe/berlin", "Europe/Nowhere"} {
		if _, ok := zone(name); ok {
			t.Errorf("zone(%q) was found", name)
		}
	}
	berlin, _ := zone("Europe/Berlin")
	if got := time.Date(2040, 7, 1, 12, 0, 0, 0, berlin).UTC().Hour(); got != 10 {
		t.Errorf("noon in Berlin in July 2040 is %d:00 UTC, want 10:00", got)
	}
}
