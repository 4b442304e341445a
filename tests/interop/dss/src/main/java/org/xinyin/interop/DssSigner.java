package org.xinyin.interop;

import eu.europa.esig.dss.enumerations.DigestAlgorithm;
import eu.europa.esig.dss.enumerations.SignatureLevel;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.model.SignatureValue;
import eu.europa.esig.dss.model.ToBeSigned;
import eu.europa.esig.dss.pades.PAdESSignatureParameters;
import eu.europa.esig.dss.pades.signature.PAdESService;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.token.DSSPrivateKeyEntry;
import eu.europa.esig.dss.token.Pkcs12SignatureToken;
import java.io.File;
import java.nio.file.Path;
import java.security.KeyStore.PasswordProtection;

/**
 * Signs a PDF as PAdES-BASELINE-B with the European Commission's DSS.
 *
 * <p>Usage: {@code DssSigner IN.pdf KEY.p12 PASSWORD OUT.pdf}.
 */
public final class DssSigner {
    private DssSigner() {}

    public static void main(String[] arguments) throws Exception {
        FileDocument document = new FileDocument(arguments[0]);
        PasswordProtection password = new PasswordProtection(arguments[2].toCharArray());
        try (Pkcs12SignatureToken token = new Pkcs12SignatureToken(new File(arguments[1]), password)) {
            DSSPrivateKeyEntry key = token.getKeys().get(0);
            PAdESSignatureParameters parameters = new PAdESSignatureParameters();
            parameters.setSignatureLevel(SignatureLevel.PAdES_BASELINE_B);
            parameters.setDigestAlgorithm(DigestAlgorithm.SHA256);
            parameters.setSigningCertificate(key.getCertificate());
            parameters.setCertificateChain(key.getCertificateChain());
            PAdESService service = new PAdESService(new CommonCertificateVerifier());
            ToBeSigned octets = service.getDataToSign(document, parameters);
            SignatureValue value = token.sign(octets, parameters.getDigestAlgorithm(), key);
            service.signDocument(document, parameters, value).save(Path.of(arguments[3]).toString());
        }
    }
}
