import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.Security;
import java.security.Signature;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bouncycastle.asn1.ASN1BitString;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.ASN1Primitive;
import org.bouncycastle.asn1.ASN1Sequence;
import org.bouncycastle.asn1.ASN1TaggedObject;
import org.bouncycastle.asn1.gm.GMObjectIdentifiers;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.tsp.TimeStampToken;

/**
 * Judges the SM2 side of the demonstration with BouncyCastle alone.
 *
 * <p>Usage: {@code Judge ROOT.pem ISSUING.pem ISSUING.crl SEAL.esl SIGNED_VALUE.dat}. Prints one JSON object whose
 * members are the claims judged, each {@code true} or the reason why not. Exit status 0 says only that it ran.
 */
public final class Judge {
    private static final String PROVIDER = BouncyCastleProvider.PROVIDER_NAME;

    private interface Claim {
        void check() throws Exception;
    }

    private final Map<String, String> answers = new LinkedHashMap<>();

    private Judge() {}

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        if (arguments.length == 1 && arguments[0].equals("--version")) {
            System.out.println(Security.getProvider(PROVIDER).getInfo());
            return;
        }
        new Judge().judge(Arrays.stream(arguments).map(Path::of).toList());
    }

    private void judge(List<Path> files) throws Exception {
        byte[] root = Files.readAllBytes(files.get(0));
        byte[] issuing = Files.readAllBytes(files.get(1));
        byte[] crl = Files.readAllBytes(files.get(2));
        byte[] seal = Files.readAllBytes(files.get(3));
        byte[] signedValue = Files.readAllBytes(files.get(4));

        claim("root-certificate", () -> certificate(root).verify(certificate(root).getPublicKey(), PROVIDER));
        claim("issuing-certificate", () -> certificate(issuing).verify(certificate(root).getPublicKey(), PROVIDER));
        claim("crl", () -> crl(crl).verify(certificate(issuing).getPublicKey(), PROVIDER));
        claim("seal-maker-path", () -> validatePath(maker(seal), root, issuing, crl));
        claim("seal-signature", () -> checkSealSignature(sequence(seal)));
        claim("signer-path", () -> validatePath(signer(signedValue), root, issuing, crl));
        claim("document-signature", () -> checkDocumentSignature(sequence(signedValue)));
        claim("embedded-seal", () -> checkEmbeddedSeal(sequence(seal), sequence(signedValue)));
        claim("time-stamp", () -> checkTimeStamp(sequence(signedValue), root, issuing, crl));
        System.out.println(json());
    }

    private void claim(String name, Claim claim) {
        try {
            claim.check();
            answers.put(name, "true");
        } catch (Exception | StackOverflowError problem) {
            answers.put(name, quote(problem.getClass().getSimpleName() + ": " + problem.getMessage()));
        }
    }

    private static X509Certificate certificate(byte[] pemOrDer) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509", PROVIDER);
        return (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(pemOrDer));
    }

    private static X509CRL crl(byte[] pemOrDer) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509", PROVIDER);
        return (X509CRL) factory.generateCRL(new ByteArrayInputStream(pemOrDer));
    }

    private static ASN1Sequence sequence(byte[] der) throws Exception {
        return ASN1Sequence.getInstance(ASN1Primitive.fromByteArray(der));
    }

    private static byte[] octets(ASN1Sequence holder, int index) {
        return ASN1OctetString.getInstance(holder.getObjectAt(index)).getOctets();
    }

    /** SESeal.cert, GB/T 38540-2020 §6.1: who made the seal. */
    private static X509Certificate maker(byte[] seal) throws Exception {
        return certificate(octets(sequence(seal), 1));
    }

    /** SES_Signature.cert, GB/T 38540-2020 §7.1: who stamped. */
    private static X509Certificate signer(byte[] signedValue) throws Exception {
        return certificate(octets(sequence(signedValue), 1));
    }

    /** RFC 5280 §6 with the CRL of the issuing CA for the end certificate. */
    private static void validatePath(X509Certificate end, byte[] root, byte[] issuing, byte[] crl) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509", PROVIDER);
        CertPath path = factory.generateCertPath(List.of(end, certificate(issuing)));
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(certificate(root), null)));
        parameters.setRevocationEnabled(false);
        CertPathValidator.getInstance("PKIX", PROVIDER).validate(path, parameters);
        X509CRL list = crl(crl);
        list.verify(certificate(issuing).getPublicKey(), PROVIDER);
        if (!list.getIssuerX500Principal().equals(end.getIssuerX500Principal())) {
            throw new SecurityException("the revocation list is another authority's");
        }
        if (list.isRevoked(end)) {
            throw new SecurityException("the certificate is revoked");
        }
    }

    private static void verify(X509Certificate by, byte[] message, ASN1Sequence holder, int algorithm, int signature)
            throws Exception {
        ASN1ObjectIdentifier oid = ASN1ObjectIdentifier.getInstance(holder.getObjectAt(algorithm));
        if (!oid.equals(GMObjectIdentifiers.sm2sign_with_sm3)) {
            throw new SecurityException("not SM2 with SM3 but " + oid);
        }
        Signature verifier = Signature.getInstance(oid.getId(), PROVIDER);
        verifier.initVerify(by.getPublicKey());
        verifier.update(message);
        if (!verifier.verify(ASN1BitString.getInstance(holder.getObjectAt(signature)).getOctets())) {
            throw new SecurityException("the signature value is wrong");
        }
    }

    /** SESeal ::= SEQUENCE { eSealInfo, cert, signAlgID, signedValue }; SM2 over DER(eSealInfo). */
    private static void checkSealSignature(ASN1Sequence seal) throws Exception {
        byte[] info = seal.getObjectAt(0).toASN1Primitive().getEncoded(ASN1Encoding.DER);
        verify(certificate(octets(seal, 1)), info, seal, 2, 3);
    }

    /** SES_Signature ::= SEQUENCE { toSign, cert, signatureAlgID, signature, timeStamp [0] }; SM2 over DER(toSign). */
    private static void checkDocumentSignature(ASN1Sequence signedValue) throws Exception {
        byte[] toSign = signedValue.getObjectAt(0).toASN1Primitive().getEncoded(ASN1Encoding.DER);
        verify(certificate(octets(signedValue, 1)), toSign, signedValue, 2, 3);
    }

    /** TBS_Sign.eseal is the very seal that was handed out, and lists the signer's certificate. */
    private static void checkEmbeddedSeal(ASN1Sequence seal, ASN1Sequence signedValue) throws Exception {
        ASN1Sequence toSign = ASN1Sequence.getInstance(signedValue.getObjectAt(0));
        byte[] embedded = toSign.getObjectAt(1).toASN1Primitive().getEncoded(ASN1Encoding.DER);
        if (!Arrays.equals(embedded, seal.getEncoded(ASN1Encoding.DER))) {
            throw new SecurityException("the document carries another seal");
        }
        ASN1Sequence info = ASN1Sequence.getInstance(seal.getObjectAt(0));
        ASN1Sequence property = ASN1Sequence.getInstance(info.getObjectAt(2));
        ASN1Sequence certificates = ASN1Sequence.getInstance(property.getObjectAt(3));
        byte[] signer = octets(signedValue, 1);
        for (int index = 0; index < certificates.size(); index++) {
            if (certificates.getObjectAt(index) instanceof ASN1OctetString listed
                    && Arrays.equals(listed.getOctets(), signer)) {
                return;
            }
        }
        throw new SecurityException("the seal does not list the signer's certificate");
    }

    /** RFC 3161 token over SM3 of the signature's octets, signed with SM2 by a certificate of the same hierarchy. */
    private static void checkTimeStamp(ASN1Sequence signedValue, byte[] root, byte[] issuing, byte[] crl)
            throws Exception {
        ASN1TaggedObject tagged = ASN1TaggedObject.getInstance(signedValue.getObjectAt(4));
        byte[] tokenDer = ASN1BitString.getInstance(tagged, true).getOctets();
        TimeStampToken token = new TimeStampToken(new CMSSignedData(tokenDer));
        MessageDigest sm3 = MessageDigest.getInstance("SM3", PROVIDER);
        byte[] expected = sm3.digest(ASN1BitString.getInstance(signedValue.getObjectAt(3)).getOctets());
        if (!Arrays.equals(expected, token.getTimeStampInfo().getMessageImprintDigest())) {
            throw new SecurityException("the time stamp is over something else");
        }
        SignerInformation signer = token.toCMSSignedData().getSignerInfos().getSigners().iterator().next();
        @SuppressWarnings("unchecked")
        X509CertificateHolder holder =
                (X509CertificateHolder) token.getCertificates().getMatches(signer.getSID()).iterator().next();
        X509Certificate authority = certificate(holder.getEncoded());
        if (!signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider(PROVIDER).build(authority))) {
            throw new SecurityException("the signature of the time stamp is wrong");
        }
        validatePath(authority, root, issuing, crl);
    }

    private String json() {
        StringBuilder text = new StringBuilder("{");
        answers.forEach((name, answer) ->
                text.append(text.length() > 1 ? ", " : "").append(quote(name)).append(": ").append(answer));
        return text.append("}").toString();
    }

    private static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char character : text.toCharArray()) {
            if (character == '"' || character == '\\') {
                quoted.append('\\').append(character);
            } else if (character < ' ' || character > '~') {
                quoted.append(String.format("\\u%04x", (int) character));
            } else {
                quoted.append(character);
            }
        }
        return quoted.append('"').toString();
    }
}
