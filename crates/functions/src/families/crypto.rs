//! AES encryption and keyed digests.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyInit, KeyIvInit};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::aes::cipher::consts::U12;
use aes_gcm::{AesGcm, Nonce};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::ColumnarValue;
use md5::Md5;
use sha1::Sha1;
use sha2::digest::core_api::BlockSizeUser;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use spark::types::DataType;
use spark::{Error, Result};

use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::random::XorShift;
use crate::families::rows::{self, Bytes, Text, push_default, string_literal};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "aes_encrypt", build: Build::Scalar(encrypt) },
    Function { name: "aes_decrypt", build: Build::Scalar(decrypt) },
    Function { name: "try_aes_decrypt", build: Build::Scalar(decrypt) },
    Function { name: "hmac", build: Build::Scalar(hmac) },
];

/// What they run.
pub const KERNELS: &[Kernel] = &[ENCRYPT, DECRYPT, HMAC];

const ENCRYPT: Kernel = Kernel::volatile("aes_encrypt", encrypt_kernel);
const DECRYPT: Kernel = Kernel::new("aes_decrypt", decrypt_kernel);
const HMAC: Kernel = Kernel::new("hmac", hmac_kernel);

fn binary() -> Expected {
    Expected::Type(DataType::Binary)
}

fn encrypt(mut call: Call) -> Result<Typed> {
    call.arity(2..=6)?;
    with_defaults(&mut call, &["GCM", "DEFAULT", "", ""]);
    let name = call.display_name();
    call.expect_all(&[binary(), binary(), Expected::String, Expected::String, binary(), binary()])?;
    // Nonces that are not given come from the query's seed, so that a retried task draws them again.
    let options = call.options().with_extra(call.settings.seed.to_string());
    Ok(call.kernel_with(&ENCRYPT, options, DataType::Binary, true).named(name))
}

fn decrypt(mut call: Call) -> Result<Typed> {
    call.arity(2..=5)?;
    with_defaults(&mut call, &["GCM", "DEFAULT", ""]);
    let name = call.display_name();
    call.expect_all(&[binary(), binary(), Expected::String, Expected::String, binary()])?;
    let mut options = call.options();
    options.tolerant = call.name == "try_aes_decrypt";
    Ok(call.kernel_with(&DECRYPT, options, DataType::Binary, true).named(name))
}

/// Fills in the arguments from the third on.
fn with_defaults(call: &mut Call, defaults: &[&str]) {
    for default in defaults.iter().skip(call.args.len() - 2) {
        push_default(call, string_literal(default));
    }
}

fn hmac(mut call: Call) -> Result<Typed> {
    call.arity(2..=3)?;
    if call.args.len() == 2 {
        push_default(&mut call, string_literal("SHA-256"));
    }
    let name = call.display_name();
    call.expect_all(&[binary(), binary(), Expected::String])?;
    Ok(call.kernel(&HMAC, DataType::Binary, true).named(name))
}

const BOTH: &str = "`aes_encrypt`/`aes_decrypt`";

/// A supported combination of mode and padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Gcm,
    Cbc,
    Ecb,
}

fn mode(mode: &str, padding: &str) -> Result<Mode> {
    let (m, p) = (mode.to_ascii_uppercase(), padding.to_ascii_uppercase());
    match (m.as_str(), p.as_str()) {
        ("GCM", "DEFAULT" | "NONE") => Ok(Mode::Gcm),
        ("CBC", "DEFAULT" | "PKCS") => Ok(Mode::Cbc),
        ("ECB", "DEFAULT" | "PKCS") => Ok(Mode::Ecb),
        _ => Err(Error::runtime("UNSUPPORTED_FEATURE.AES_MODE")
            .param("mode", mode)
            .param("padding", padding)
            .param("functionName", BOTH)
            .with_message(format!("AES in mode {mode} with padding {padding} is not supported."))),
    }
}

fn invalid(sub: &str) -> Error {
    Error::runtime(format!("INVALID_PARAMETER_VALUE.{sub}")).param("functionName", BOTH)
}

fn check_key(key: &[u8]) -> Result<()> {
    if matches!(key.len(), 16 | 24 | 32) {
        return Ok(());
    }
    Err(invalid("AES_KEY_LENGTH").param("parameter", "`key`").param("actualLength", key.len().to_string()))
}

fn crypto_error(detail: &str) -> Error {
    invalid("AES_CRYPTO_ERROR").param("parameter", "`expr`, `key`").param("detailMessage", detail)
}

fn no_iv(mode: &str) -> Error {
    Error::runtime("UNSUPPORTED_FEATURE.AES_MODE_IV").param("mode", mode).param("functionName", "`aes_encrypt`")
}

fn check_iv(iv: &[u8], aad: &[u8], mode: Mode, name: &str) -> Result<()> {
    let upper = name.to_ascii_uppercase();
    let length = match mode {
        Mode::Gcm => 12,
        Mode::Cbc => 16,
        Mode::Ecb => 0,
    };
    if mode == Mode::Ecb && !iv.is_empty() {
        return Err(no_iv(&upper));
    }
    if !iv.is_empty() && iv.len() != length {
        return Err(invalid("AES_IV_LENGTH")
            .param("mode", upper)
            .param("parameter", "`iv`")
            .param("actualLength", iv.len().to_string()));
    }
    if mode != Mode::Gcm && !aad.is_empty() {
        return Err(Error::runtime("UNSUPPORTED_FEATURE.AES_MODE_AAD")
            .param("mode", upper)
            .param("functionName", "`aes_encrypt`"));
    }
    Ok(())
}

/// Runs `$body` with `$cipher` as the AES of the key's length.
macro_rules! with_aes {
    ($key:expr, $cipher:ident, $body:expr) => {
        match $key.len() {
            16 => {
                type $cipher = Aes128;
                $body
            }
            24 => {
                type $cipher = Aes192;
                $body
            }
            _ => {
                type $cipher = Aes256;
                $body
            }
        }
    };
}

fn gcm_seal(key: &[u8], iv: &[u8], input: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
    let payload = Payload { msg: input, aad };
    with_aes!(
        key,
        Cipher,
        AesGcm::<Cipher, U12>::new_from_slice(key).ok()?.encrypt(Nonce::from_slice(iv), payload).ok()
    )
}

fn gcm_open(key: &[u8], iv: &[u8], input: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
    let payload = Payload { msg: input, aad };
    with_aes!(
        key,
        Cipher,
        AesGcm::<Cipher, U12>::new_from_slice(key).ok()?.decrypt(Nonce::from_slice(iv), payload).ok()
    )
}

/// The input with room for its padding.
fn with_room(input: &[u8]) -> Vec<u8> {
    let mut buffer = input.to_vec();
    buffer.resize(input.len() / 16 * 16 + 16, 0);
    buffer
}

fn cbc_seal(key: &[u8], iv: &[u8], input: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = with_room(input);
    let sealed = with_aes!(
        key,
        Cipher,
        cbc::Encryptor::<Cipher>::new_from_slices(key, iv).ok()?.encrypt_padded_mut::<Pkcs7>(&mut buffer, input.len())
    );
    sealed.ok().map(<[u8]>::to_vec)
}

fn cbc_open(key: &[u8], iv: &[u8], input: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = input.to_vec();
    let opened = with_aes!(
        key,
        Cipher,
        cbc::Decryptor::<Cipher>::new_from_slices(key, iv).ok()?.decrypt_padded_mut::<Pkcs7>(&mut buffer)
    );
    opened.ok().map(<[u8]>::to_vec)
}

fn ecb_seal(key: &[u8], input: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = with_room(input);
    let sealed = with_aes!(
        key,
        Cipher,
        ecb::Encryptor::<Cipher>::new_from_slice(key).ok()?.encrypt_padded_mut::<Pkcs7>(&mut buffer, input.len())
    );
    sealed.ok().map(<[u8]>::to_vec)
}

fn ecb_open(key: &[u8], input: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = input.to_vec();
    let opened = with_aes!(
        key,
        Cipher,
        ecb::Decryptor::<Cipher>::new_from_slice(key).ok()?.decrypt_padded_mut::<Pkcs7>(&mut buffer)
    );
    opened.ok().map(<[u8]>::to_vec)
}

/// The ciphertext, after its nonce where the mode has one.
fn seal(input: &[u8], key: &[u8], mode: Mode, iv: &[u8], aad: &[u8]) -> Result<Vec<u8>> {
    let sealed = match mode {
        Mode::Gcm => gcm_seal(key, iv, input, aad),
        Mode::Cbc => cbc_seal(key, iv, input),
        Mode::Ecb => ecb_seal(key, input),
    };
    let mut out = if mode == Mode::Ecb { Vec::new() } else { iv.to_vec() };
    out.extend(sealed.ok_or_else(|| crypto_error("Encryption failed."))?);
    Ok(out)
}

fn open(input: &[u8], key: &[u8], mode: Mode, aad: &[u8]) -> Result<Vec<u8>> {
    let nonce = match mode {
        Mode::Gcm => 12,
        Mode::Cbc => 16,
        Mode::Ecb => 0,
    };
    let Some((iv, body)) = input.split_at_checked(nonce) else {
        return Err(crypto_error("Invalid buffer arguments"));
    };
    let opened = match mode {
        Mode::Gcm => gcm_open(key, iv, body, aad),
        Mode::Cbc => cbc_open(key, iv, body),
        Mode::Ecb => ecb_open(key, body),
    };
    opened.ok_or_else(|| {
        crypto_error(match mode {
            Mode::Gcm => "Tag mismatch",
            _ => "Given final block not properly padded. Such issues can arise if a bad key is used during decryption.",
        })
    })
}

fn encrypt_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (inputs, keys) = (Bytes::of(args, 0)?, Bytes::of(args, 1)?);
    let (modes, paddings) = (Text::of(args, 2)?, Text::of(args, 3)?);
    let (ivs, aads) = (Bytes::of(args, 4)?, Bytes::of(args, 5)?);
    let mut random = XorShift::new(args.extra().parse().unwrap_or(0));
    rows::binaries(args, |row, out| {
        let (Some(input), Some(key), Some(name), Some(padding), Some(iv), Some(aad)) =
            (inputs.get(row), keys.get(row), modes.get(row), paddings.get(row), ivs.get(row), aads.get(row))
        else {
            return Ok(false);
        };
        let sealed = check_key(key).and_then(|()| mode(name, padding)).and_then(|mode| {
            check_iv(iv, aad, mode, name)?;
            let length = if mode == Mode::Gcm { 12 } else { 16 };
            let drawn: Vec<u8> = (0..length).map(|_| random.next_int() as u8).collect();
            seal(input, key, mode, if iv.is_empty() { &drawn } else { iv }, aad)
        });
        match sealed {
            Ok(bytes) => out.extend(bytes),
            Err(e) => return fail(e),
        }
        Ok(true)
    })
}

fn decrypt_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (inputs, keys) = (Bytes::of(args, 0)?, Bytes::of(args, 1)?);
    let (modes, paddings, aads) = (Text::of(args, 2)?, Text::of(args, 3)?, Bytes::of(args, 4)?);
    rows::binaries(args, |row, out| {
        let (Some(input), Some(key), Some(name), Some(padding), Some(aad)) =
            (inputs.get(row), keys.get(row), modes.get(row), paddings.get(row), aads.get(row))
        else {
            return Ok(false);
        };
        match check_key(key).and_then(|()| mode(name, padding)).and_then(|mode| open(input, key, mode, aad)) {
            Ok(bytes) => out.extend(bytes),
            Err(e) => return fail(e),
        }
        Ok(true)
    })
}

/// The keyed digest of RFC 2104.
fn keyed<D: Digest + BlockSizeUser>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let block = D::block_size();
    let mut padded = if key.len() > block { D::digest(key).to_vec() } else { key.to_vec() };
    padded.resize(block, 0);
    let mask = |with: u8| padded.iter().map(|b| b ^ with).collect::<Vec<u8>>();
    let inner = D::new().chain_update(mask(0x36)).chain_update(message).finalize();
    D::new().chain_update(mask(0x5c)).chain_update(inner).finalize().to_vec()
}

fn hmac_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (keys, messages, algorithms) = (Bytes::of(args, 0)?, Bytes::of(args, 1)?, Text::of(args, 2)?);
    rows::binaries(args, |row, out| {
        let (Some(key), Some(message), Some(algorithm)) = (keys.get(row), messages.get(row), algorithms.get(row))
        else {
            return Ok(false);
        };
        let digest = match algorithm.to_ascii_uppercase().as_str() {
            "MD5" => keyed::<Md5>(key, message),
            "SHA-1" | "SHA1" => keyed::<Sha1>(key, message),
            "SHA-224" => keyed::<Sha224>(key, message),
            "SHA-256" => keyed::<Sha256>(key, message),
            "SHA-384" => keyed::<Sha384>(key, message),
            "SHA-512" => keyed::<Sha512>(key, message),
            _ => {
                return fail(
                    Error::runtime("INVALID_PARAMETER_VALUE.HMAC_ALGORITHM")
                        .param("parameter", "`algorithm`")
                        .param("functionName", "`hmac`")
                        .param("algorithm", format!("'{algorithm}'")),
                );
            }
        };
        out.extend(digest);
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_spark_sealed() {
        let decode = |s: &str| ::hex::decode(s).unwrap();
        let sealed = decode("83F16B2AA704794132802D248E6BFD4E380078182D1544813898AC97E709B28A94");
        assert_eq!(open(&sealed, b"0000111122223333", Mode::Gcm, b"").unwrap(), b"Spark");
        let sealed = seal(b"Spark SQL", b"1234567890abcdef", Mode::Ecb, b"", b"").unwrap();
        assert_eq!(open(&sealed, b"1234567890abcdef", Mode::Ecb, b"").unwrap(), b"Spark SQL");
    }

    #[test]
    fn keyed_digests() {
        let digest = keyed::<Sha256>(b"key", b"message");
        assert_eq!(::hex::encode_upper(digest), "6E9EF29B75FFFC5B7ABAE527D58FDADB2FE42E7219011976917343065F58ED4A");
    }
}
