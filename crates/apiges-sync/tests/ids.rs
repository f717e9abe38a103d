//! The numbers of contract 5: tax numbers of Brazilian contacts and holders, by its vectors.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use apiges_sync::{Cnpj, Cpf, CpfOrCnpj};

#[test]
fn the_contracts_vectors_are_valid_and_normalised() {
    for (text, plain) in [
        ("12.ABC.345/01DE-35", "12ABC34501DE35"),
        ("00.000.000/0001-91", "00000000000191"),
        ("11.222.333/0001-81", "11222333000181"),
        ("AB.CDE.FGH/0001-95", "ABCDEFGH000195"),
        ("a1.b2c.3d4/0001-93", "A1B2C3D4000193"),
        ("A8.TES.T0X/0001-08", "A8TEST0X000108"),
    ] {
        assert_eq!(text.parse::<Cnpj>().unwrap().as_str(), plain, "{text}");
        assert!(matches!(text.parse::<CpfOrCnpj>(), Ok(CpfOrCnpj::Cnpj(_))), "{text}");
    }
    for (text, plain) in [("529.982.247-25", "52998224725"), ("012.345.678-90", "01234567890")] {
        assert_eq!(text.parse::<Cpf>().unwrap().as_str(), plain, "{text}");
        assert!(matches!(text.parse::<CpfOrCnpj>(), Ok(CpfOrCnpj::Cpf(_))), "{text}");
    }
}

#[test]
fn invalid_numbers_are_refused_when_written_and_kept_when_read() {
    for digit in 0..=9 {
        assert!(digit.to_string().repeat(11).parse::<Cpf>().is_err(), "{digit}");
    }
    for bad in ["00000000000000", "12ABC34501DE45", "12.ABC.345/01DE-36", "12_ABC34501DE35", "1234"] {
        assert!(bad.parse::<Cnpj>().is_err(), "{bad}");
    }
    let read = Cnpj::parse_lenient("12.ABC.345/01DE-36").unwrap();
    assert_eq!((read.as_str(), read.has_valid_check_digit()), ("12ABC34501DE36", false));
    assert!("52998224726".parse::<Cpf>().is_err());
}
