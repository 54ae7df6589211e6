package chain

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// Files of a key folder: PEM, the private key in PKCS #8 and readable by its owner only, the public key in PKIX.
const (
	PrivateKeyFile = "chain.key"
	PublicKeyFile  = "chain.pub"
)

const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
)

// Key is an Ed25519 key pair that signs records. It is a dsse.Signer.
type Key struct {
	private ed25519.PrivateKey
	id      string
}

var _ dsse.Signer = (*Key)(nil)

// LoadOrCreateKey reads the key pair in folder dir and creates folder and files when there are none. Files that exist are
// never written; of several processes that create at once one wins and all get its key.
func LoadOrCreateKey(dir string) (*Key, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create key folder %q: %w; name a folder that this user may write", dir, err)
	}
	path := filepath.Join(dir, PrivateKeyFile)
	key, err := loadKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = createKey(path)
	}
	if err != nil {
		return nil, err
	}
	if err := key.ensurePublicFile(filepath.Join(dir, PublicKeyFile)); err != nil {
		return nil, err
	}
	return key, nil
}

func loadKey(path string) (*Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read key %q: %w", path, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read key %q: others may read it (mode %04o); expected 0600: chmod 600 it, or replace it if others may have read it", path, info.Mode().Perm())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read key %q: %w", path, err)
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != privateBlock {
		return nil, fmt.Errorf("read key %q: expected a PEM block %q with an Ed25519 key; restore it from a copy", path, privateBlock)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read key %q: %w; restore it from a copy", path, err)
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read key %q: expected an Ed25519 key, found %T", path, parsed)
	}
	return newKey(private)
}

func newKey(private ed25519.PrivateKey) (*Key, error) {
	id, err := KeyID(private.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	return &Key{private: private, id: id}, nil
}

func createKey(path string) (*Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create key %q: %w", path, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("create key %q: %w", path, err)
	}
	err = createFile(path, pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}), 0o600)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("create key %q: %w", path, err)
	}
	return loadKey(path)
}

// ensurePublicFile writes the public key beside the private one, or checks the one that is there.
func (k *Key) ensurePublicFile(path string) error {
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return fmt.Errorf("create public key %q: %w", path, err)
	}
	want := pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der})
	err = createFile(path, want, 0o644)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create public key %q: %w", path, err)
	}
	found, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read public key %q: %w", path, err)
	}
	if !bytes.Equal(found, want) {
		return fmt.Errorf("public key %q does not belong to the private key %s beside it; move it away to have it written anew", path, PrivateKeyFile)
	}
	return nil
}

// createFile writes a new file that is never seen in part; fs.ErrExist when the name is taken.
func createFile(path string, data []byte, mode fs.FileMode) error {
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// Sign implements dsse.Signer.
func (k *Key) Sign(_ context.Context, data []byte) ([]byte, error) {
	return ed25519.Sign(k.private, data), nil
}

// Secret is 32 bytes that nobody can tell without the key, the same for the same label: HMAC-SHA256 (RFC 2104) of the label. They
// tell nothing about the key or about other labels.
func (k *Key) Secret(label string) [32]byte {
	mac := hmac.New(sha256.New, k.private.Seed())
	mac.Write([]byte(label))
	return [32]byte(mac.Sum(nil))
}

// KeyID implements dsse.Signer.
func (k *Key) KeyID() (string, error) { return k.id, nil }

// Public is what others need to verify this key's records.
func (k *Key) Public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }

// KeyID names a key: the fingerprint that ssh-keygen -l prints, "SHA256:...".
func KeyID(public ed25519.PublicKey) (string, error) {
	if len(public) != ed25519.PublicKeySize {
		return "", fmt.Errorf("Ed25519 public key: expected %d bytes, found %d", ed25519.PublicKeySize, len(public))
	}
	return dsse.SHA256KeyID(public)
}

// ReadTrust reads one or more Ed25519 public keys from a file of PEM blocks, such as chain.pub or several of them put
// together.
func ReadTrust(path string) ([]ed25519.PublicKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read trusted keys %q: %w; name the file %s of the key folder of who wrote the chain", path, err, PublicKeyFile)
	}
	var keys []ed25519.PublicKey
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read trusted keys %q: key %d: %w", path, len(keys)+1, err)
		}
		key, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return nil, fmt.Errorf("read trusted keys %q: key %d: expected an Ed25519 key, found %T", path, len(keys)+1, parsed)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("read trusted keys %q: expected PEM blocks %q, found none", path, publicBlock)
	}
	return keys, nil
}

// verifier is a trusted key. It is a dsse.Verifier.
type verifier struct {
	public ed25519.PublicKey
	id     string
}

func (v verifier) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(v.public, data, sig) {
		return errors.New("the signature does not match the content")
	}
	return nil
}

func (v verifier) KeyID() (string, error) { return v.id, nil }

func (v verifier) Public() crypto.PublicKey { return v.public }
